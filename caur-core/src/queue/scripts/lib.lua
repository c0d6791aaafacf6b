-- What every script shares: key names, the clock, and the transitions that keep the queue's invariants.
-- Each script runs as one atomic step, so a process may die between any two calls and the queue is right.
--
-- Invariants (checked by queue::audit):
--   a job is in `active` until it is final, then in `finished`
--   `live` names the newest job of a TARGET/ARCH/PKGBASE and no final one
--   ready jobs, and only those, stand in both sorted sets of their class
--   building and publishing jobs, and only those, stand in `leases`; backoff jobs, and only those, in `backoff`
--   uploaded jobs, and only those, stand in `uploads:TARGET/ARCH`
--   `deps` of a job and `dependants` of the other name the same edges; a ready job has no unmet edge
--   `work` is the sum of the expected seconds of all jobs that are queued or building

local K = {
  active = '{caur}:queue:active',
  backoff = '{caur}:queue:backoff',
  classes = '{caur}:queue:classes',
  durations = '{caur}:queue:durations',
  events = '{caur}:queue:events',
  finished = '{caur}:queue:finished',
  graph = '{caur}:queue:graph',
  last_id = '{caur}:queue:last-id',
  leases = '{caur}:queue:leases',
  live = '{caur}:queue:live',
  sweeper = '{caur}:queue:sweeper',
  swept = '{caur}:queue:swept',
  upload_targets = '{caur}:queue:upload-targets',
  wake = '{caur}:queue:wake',
  wake_publisher = '{caur}:queue:wake-publisher',
  work = '{caur}:queue:work',
  builders = '{caur}:build:builders',
  seen = '{caur}:build:seen',
}

local EVENTS_KEPT = 100000
local INFRASTRUCTURE_ATTEMPTS = 3
local PUBLISH_ATTEMPTS = 5
local BUILDER_GONE_MS = 90000
local LOG_KEPT_S = 1209600

local QUEUED = { waiting = true, ready = true, backoff = true, blocked = true }
local SATISFIED = { succeeded = true, ['already-built'] = true, skipped = true }
local FINAL = {
  succeeded = true, ['already-built'] = true, skipped = true, failed = true, ['timed-out'] = true,
  ['out-of-memory'] = true, canceled = true, ['infrastructure-failed'] = true,
}

local function request_key(id) return '{caur}:submit:job:' .. id end
local function job_key(id) return '{caur}:queue:job:' .. id end
local function deps_key(id) return '{caur}:queue:deps:' .. id end
local function dependants_key(id) return '{caur}:queue:dependants:' .. id end
local function uploads_key(target) return '{caur}:queue:uploads:' .. target end
local function result_key(id) return '{caur}:build:result:' .. id end
local function log_key(id, attempt) return '{caur}:build:log:' .. id .. '.' .. attempt end
local function names_key(target) return '{caur}:publish:names:' .. target end

-- Numbers become text without an exponent; ids have 13 digits.
local function text(number) return string.format('%.0f', number) end

local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local NOW = clock()

local function job(id, ...) return redis.call('HMGET', job_key(id), ...) end
local function request(id, ...) return redis.call('HMGET', request_key(id), ...) end

local woken = {}
local function wake(stream)
  if not woken[stream] then
    woken[stream] = true
    redis.call('XADD', stream, 'MAXLEN', '~', 16, '*', 'at', text(NOW))
  end
end

-- The one place where a state changes: hash and event stream always tell the same story.
local function enter(id, state, reason, by)
  local old = job(id, 'state', 'attempt', 'builder')
  redis.call('HSET', job_key(id), 'state', state, 'since', text(NOW), 'reason', reason or '')
  redis.call('XADD', K.events, 'MAXLEN', '~', EVENTS_KEPT, '*',
    'job', id, 'key', request(id, 'key')[1], 'from', old[1] or '', 'to', state,
    'attempt', old[2] or '0', 'builder', old[3] or '', 'reason', reason or '', 'by', by or '')
end

-- A class is a number of 32 bits or a builder's name; tonumber would take names such as 0x1f and nan for numbers.
local function ready_group(id)
  local class = request(id, 'class')[1]
  if #class <= 10 and string.find(class, '^%d+$') then return class, true end
  return '@' .. class, false
end

local function chain_set(group) return '{caur}:queue:ready:' .. group .. ':chain' end
local function short_set(group) return '{caur}:queue:ready:' .. group .. ':short' end

local function ready_add(id)
  local group, numbered = ready_group(id)
  local cost = job(id, 'chain', 'expected')
  redis.call('ZADD', chain_set(group), '-' .. cost[1], id)
  redis.call('ZADD', short_set(group), cost[2], id)
  if numbered then redis.call('ZADD', K.classes, group, group) end
  wake(K.wake)
end

local function ready_remove(id)
  local group, numbered = ready_group(id)
  redis.call('ZREM', chain_set(group), id)
  redis.call('ZREM', short_set(group), id)
  if numbered and redis.call('EXISTS', chain_set(group)) == 0 then redis.call('ZREM', K.classes, group) end
end

local function make_ready(id, reason, by)
  enter(id, 'ready', reason, by)
  ready_add(id)
end

-- Takes a queued job out of whatever holds it; the caller gives it a new state in the same script.
local function unqueue(id, state)
  if state == 'ready' then ready_remove(id) end
  if state == 'backoff' then redis.call('ZREM', K.backoff, id) end
end

local function add_edge(id, dependency, names)
  redis.call('HSET', deps_key(id), dependency, names)
  redis.call('SADD', dependants_key(dependency), id)
end

local function remove_edge(id, dependency)
  redis.call('HDEL', deps_key(id), dependency)
  redis.call('SREM', dependants_key(dependency), id)
end

local function remove_edges(id)
  for _, dependency in ipairs(redis.call('HKEYS', deps_key(id))) do remove_edge(id, dependency) end
end

-- Whether the target lists all of these space-separated names already.
local function published(id, names)
  local key = names_key(request(id, 'target')[1])
  for name in string.gmatch(names, '%S+') do
    if redis.call('SISMEMBER', key, name) == 0 then return false end
  end
  return true
end

-- What an edge says now: 'met', 'unmet' or 'failed'. The names '=' stand for "after it, whatever comes of it".
local function edge_state(id, dependency, names)
  local state = job(dependency, 'state')[1]
  if not state or SATISFIED[state] then return 'met' end
  if not FINAL[state] then return 'unmet' end
  if names == '=' or published(id, names) then return 'met' end
  return 'failed'
end

-- Derives a waiting, ready or blocked job's state from its edges.
local function settle(id, by)
  local old = job(id, 'state')[1]
  local edges = redis.call('HGETALL', deps_key(id))
  local unmet, failed = 0, nil
  for i = 1, #edges, 2 do
    local state = edge_state(id, edges[i], edges[i + 1])
    if state == 'met' then
      remove_edge(id, edges[i])
    elseif state == 'unmet' then
      unmet = unmet + 1
    else
      failed = edges[i]
    end
  end
  local new, reason = 'ready', ''
  if failed then
    local why = job(failed, 'state')[1]
    new, reason = 'blocked', 'dependency ' .. request(failed, 'pkgbase')[1] .. ' ' .. why
  elseif unmet > 0 then
    new = 'waiting'
  end
  if old == new then
    if new == 'ready' then ready_remove(id); ready_add(id) end
    return
  end
  unqueue(id, old)
  if new == 'ready' then make_ready(id, '', by) else enter(id, new, reason, by) end
end

-- Tells everything that waits for a final job.
local function settle_dependants(id)
  for _, dependant in ipairs(redis.call('SMEMBERS', dependants_key(id))) do
    local state = job(dependant, 'state')[1]
    if state == 'waiting' or state == 'blocked' or state == 'ready' then settle(dependant) end
  end
end

-- The last entry of an attempt's log, so that whoever follows it knows that nothing comes any more.
local function end_log(id, state, reason)
  local key = log_key(id, job(id, 'attempt')[1])
  redis.call('XADD', key, '*', 'end', state, 'reason', reason or '')
  redis.call('EXPIRE', key, LOG_KEPT_S, 'NX')
end

local function leave_work(id) redis.call('DECRBY', K.work, job(id, 'expected')[1]) end

-- Ends a job. `state` is where it stands now.
local function finalize(id, state, final, reason, by)
  unqueue(id, state)
  redis.call('ZREM', K.leases, id)
  local about = request(id, 'key', 'target')
  if QUEUED[state] or state == 'building' then leave_work(id) end
  if state == 'uploaded' then
    redis.call('ZREM', uploads_key(about[2]), id)
  end
  remove_edges(id)
  if not QUEUED[state] then end_log(id, final, reason) end
  enter(id, final, reason, by)
  redis.call('HSET', job_key(id), 'finished', text(NOW))
  redis.call('HDEL', job_key(id), 'phase', 'cancel')
  if redis.call('HGET', K.live, about[1]) == id then redis.call('HDEL', K.live, about[1]) end
  redis.call('ZREM', K.active, id)
  redis.call('ZADD', K.finished, text(NOW), id)
  settle_dependants(id)
end

-- Hands a job back after a failure that is not its own, or ends it when that happened too often.
local function infrastructure_failure(id, reason)
  redis.call('ZREM', K.leases, id)
  local count = redis.call('HINCRBY', job_key(id), 'infrastructure', 1)
  if count >= INFRASTRUCTURE_ATTEMPTS then
    return finalize(id, 'building', 'infrastructure-failed', reason .. ' (attempt ' .. count .. ', giving up)')
  end
  local delay = 5000 * 4 ^ (count - 1)
  delay = delay + math.floor(delay * (tonumber(string.sub(id, -3)) / 1000) / 2)
  redis.call('HSET', job_key(id), 'avoid', job(id, 'builder')[1] or '', 'avoid_until', text(NOW + delay + 60000))
  redis.call('HDEL', job_key(id), 'phase')
  redis.call('ZADD', K.backoff, text(NOW + delay), id)
  end_log(id, 'backoff', reason)
  enter(id, 'backoff', reason)
end

-- Fencing: only the holder of the current lease may write. A finish that arrives twice is told apart from a stale one.
local function check_token(id, attempt, nonce, state)
  local now = job(id, 'state', 'attempt', 'nonce', 'done')
  if now[2] == attempt and now[1] == state and now[3] == nonce then return 'current' end
  if now[4] == attempt .. ' ' .. nonce then return 'repeated' end
  return 'stale'
end

local function mark_done(id, attempt, nonce)
  redis.call('HSET', job_key(id), 'done', attempt .. ' ' .. nonce)
  redis.call('HDEL', job_key(id), 'nonce')
end
