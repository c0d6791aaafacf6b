-- What every function shares: key names, the clock, and the transitions that keep the queue's invariants.
-- Each function runs as one atomic step, so a process may die between any two calls and the queue is right.
--
-- Invariants (checked by queue::audit):
--   a job is in `active` until it is final, then in `finished`
--   `live` names the newest job of a TARGET/ARCH/PKGBASE and no final one
--   ready jobs, and only those, stand in both sorted sets of their group
--   building and publishing jobs, and only those, stand in `leases`
--   backoff jobs, and only those, stand in `backoff`; blocked ones in `blocked`
--   uploaded jobs, and only those, stand in `uploads:TARGET/ARCH`
--   `deps` of a job and `dependants` of the other name the same edges; a ready job has no unmet edge
--   `work` holds, per group, the sum of the expected seconds of all jobs that are waiting, ready, backoff or building
--   a request to the repository stands in `asks` or in `ask_leases`, and has its text until it ends
--   `ask_leases` holds one request of a target at most; `keep_lists` names a target's newest keep-list that has not ended

local K = {
  active = '{caur}:q:active',
  ask_leases = '{caur}:q:ask-leases',
  asks = '{caur}:q:asks',
  backoff = '{caur}:q:backoff',
  blocked = '{caur}:q:blocked',
  capacity = '{caur}:q:capacity',
  durations = '{caur}:q:durations',
  events = '{caur}:q:events',
  finished = '{caur}:q:finished',
  graph = '{caur}:q:graph',
  held = '{caur}:q:held',
  keep_lists = '{caur}:q:keep-lists',
  last_id = '{caur}:q:last-id',
  leases = '{caur}:q:leases',
  live = '{caur}:q:live',
  samples = '{caur}:q:samples',
  sweeper = '{caur}:q:sweeper',
  swept = '{caur}:q:swept',
  upload_targets = '{caur}:q:upload-targets',
  wake = '{caur}:q:wake',
  wake_publisher = '{caur}:q:wake-publisher',
  wake_repository = '{caur}:q:wake-repository',
  work = '{caur}:q:work',
  failures = '{caur}:build:failures',
  names = '{caur}:build:names',
  online = '{caur}:build:online',
  speeds = '{caur}:build:speeds',
  log_heads = '{caur}:build:log-heads',
  log_live = '{caur}:build:log-live',
  log_kept = '{caur}:build:log-kept',
  log_sizes = '{caur}:build:log-sizes',
  log_ended = '{caur}:build:log-ended',
  modes = '{caur}:operate:builders',
  pause = '{caur}:operate:pause',
  trail = '{caur}:operate:trail',
  policy = '{caur}:config:queue',
  schema = '{caur}:config:schema',
}

-- What a call begins with; `begin` below sets them. `redis.call` does not exist yet when the library is loaded.
local call, ACTION, TIME, NOW, NOW_TEXT, woken

-- A stream's length is bounded roughly: whole nodes go at a time.
local EVENTS_KEPT = 200000
local TRAIL_KEPT = 20000
local WAKES_KEPT = 1000
local PUBLISH_ATTEMPTS = 5
local BUILDER_GONE_MS = 90000
local LOG_KEPT_S = 1209600
-- Longer values would make Redis store a small hash in its large form.
local SHORT = 64

local QUEUED = { waiting = true, ready = true, backoff = true, blocked = true, held = true }
local SATISFIED = { succeeded = true, ['already-built'] = true, skipped = true }
local FINAL = {
  succeeded = true, ['already-built'] = true, skipped = true, failed = true, ['timed-out'] = true,
  ['out-of-memory'] = true, canceled = true, ['infrastructure-failed'] = true,
}

-- What builders still have to do.
local WORK = { waiting = true, ready = true, backoff = true, building = true }

local function request_key(id) return '{caur}:submit:' .. id end

-- A call comes back to few jobs many times.
local job_keys
local function job_key(id)
  local key = job_keys[id]
  if not key then
    key = '{caur}:q:j:' .. id
    job_keys[id] = key
  end
  return key
end

local function long_key(id) return '{caur}:q:l:' .. id end
local function deps_key(id) return '{caur}:q:d:' .. id end
local function dependants_key(id) return '{caur}:q:r:' .. id end
local function uploads_key(target) return '{caur}:q:uploads:' .. target end
local function builder_key(instance) return '{caur}:build:b:' .. instance end
local function result_key(id) return '{caur}:build:result:' .. id end
local function log_key(log) return '{caur}:build:log:' .. log end
local function names_key(target) return '{caur}:publish:names:' .. target end

-- Numbers become text without an exponent; ids have 13 digits.
local function text(number) return string.format('%.0f', number) end

-- Begins a call: checks the schema, so that a program that runs through an upgrade changes nothing after it, and takes
-- the time once. Returns an error to be handed on, or nothing.
local function begin(action, schema)
  call = redis.call
  local stored = call('GET', K.schema)
  if stored ~= schema then return redis.error_reply('SCHEMA ' .. (stored or '0')) end
  TIME = call('TIME')
  NOW = tonumber(TIME[1]) * 1000 + math.floor(tonumber(TIME[2]) / 1000)
  NOW_TEXT = text(NOW)
  ACTION = action
  woken, job_keys = {}, {}
end

local function job(id, ...) return call('HMGET', job_key(id), ...) end
local function state_of(id) return call('HGET', job_key(id), 'state') end
local function target_of(key) return string.match(key, '^(.*)/') end
local function pkgbase_of(id) return string.match(call('HGET', job_key(id), 'key') or '?', '[^/]*$') end

-- What the database role published about how the queue works.
local function setting(name, default)
  local value = call('HGET', K.policy, name)
  return value and tonumber(value) or default
end

local function wake(stream, what, about)
  local entry = stream .. what .. about
  if not woken[entry] then
    woken[entry] = true
    call('XADD', stream, 'MAXLEN', '~', WAKES_KEPT, '*', what, about)
  end
end

local function event(id, key, from, to, attempt, builder, reason, by)
  call('XADD', K.events, 'MAXLEN', '~', EVENTS_KEPT, '*',
    'job', id, 'key', key, 'action', ACTION, 'from', from, 'to', to,
    'attempt', attempt, 'builder', builder, 'reason', reason, 'by', by)
end

-- Who asked for what, and why; kept longer than events.
local function trail(about, id, by, why)
  call('XADD', K.trail, 'MAXLEN', '~', TRAIL_KEPT, '*',
    'action', ACTION, 'about', about, 'job', id, 'by', by, 'why', why)
end

-- A class is a number of 32 bits or a builder's name; tonumber would take names such as 0x1f and nan for numbers.
local function group_of(class)
  if #class <= 10 and string.find(class, '^%d+$') then return class end
  return '@' .. class
end

local function add_work(class, expected, sign)
  local group = group_of(class)
  if call('HINCRBY', K.work, group, sign .. expected) == 0 then call('HDEL', K.work, group) end
end

-- What past.lua keeps of a change.
local note_change

-- The one place where a state changes: hash and event stream always tell the same story. `more` are further fields.
local function enter(id, state, reason, by, more)
  reason = reason or ''
  local old = job(id, 'state', 'attempt', 'builder', 'key', 'long', 'class', 'expected', 'since', 'started',
    'ready_at')
  local fields = more or {}
  local n = #fields
  fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 'state', state, 'since', NOW_TEXT
  fields[n + 5], fields[n + 6] = 'reason', #reason <= SHORT and reason or ''
  if #reason > SHORT then
    call('HSET', long_key(id), 'reason', reason)
    if not old[5] then fields[n + 7], fields[n + 8] = 'long', '1' end
  elseif old[5] then
    call('HDEL', long_key(id), 'reason')
  end
  call('HSET', job_key(id), unpack(fields))
  if WORK[state] and not WORK[old[1]] then add_work(old[6], old[7], '') end
  if WORK[old[1]] and not WORK[state] then add_work(old[6], old[7], '-') end
  if state == 'blocked' then call('ZADD', K.blocked, NOW_TEXT, id) end
  if old[1] == 'blocked' and state ~= 'blocked' then call('ZREM', K.blocked, id) end
  if state == 'held' then call('SADD', K.held, id) end
  if old[1] == 'held' and state ~= 'held' then call('SREM', K.held, id) end
  event(id, old[4], old[1] or '', state, old[2] or '0', old[3] or '', reason, by or '')
  note_change(id, old, state, reason)
end

-- Keeps a text that may be long out of the small hash.
local function put_long(id, field, value)
  if #value > SHORT then
    call('HSET', long_key(id), field, value)
    call('HSET', job_key(id), 'long', '1')
    call('HDEL', job_key(id), field)
  else
    call('HSET', job_key(id), field, value)
    call('HDEL', long_key(id), field)
  end
end

local function forget(id, ...)
  call('HDEL', job_key(id), ...)
  call('HDEL', long_key(id), ...)
end

-- Why somebody wants a running job stopped; nil where nobody does.
local function cancel_of(id)
  local about = job(id, 'cancel', 'long')
  return about[1] or (about[2] and call('HGET', long_key(id), 'cancel')) or nil
end

local function put_cancel(id, reason)
  put_long(id, 'cancel', reason)
  wake(K.wake, 'cancel', id)
end

local function chain_set(group) return '{caur}:q:ready:' .. group .. ':chain' end
local function short_set(group) return '{caur}:q:ready:' .. group .. ':short' end

local function ready_add(id)
  local about = job(id, 'class', 'chain', 'delay', 'priority', 'ready_at')
  local group = group_of(about[1])
  local priority = tonumber(about[4] or '0')
  -- As policy::chain_key and policy::short_key.
  local chain = math.min(tonumber(about[2]), CHAIN_STEP - 1)
  call('ZADD', chain_set(group), text(-(priority * CHAIN_STEP + chain)), id)
  local key = math.floor(tonumber(about[5]) / 1000) + tonumber(about[3] or '0')
  call('ZADD', short_set(group), text(key - priority * SHORT_STEP), id)
  wake(K.wake, 'ready', group)
end

local function ready_remove(id, class)
  local group = group_of(class)
  call('ZREM', chain_set(group), id)
  call('ZREM', short_set(group), id)
end

local function make_ready(id, reason, by)
  local more
  if call('HEXISTS', job_key(id), 'ready_at') == 0 then more = { 'ready_at', NOW_TEXT } end
  enter(id, 'ready', reason, by, more)
  ready_add(id)
end

-- Takes a queued job out of whatever holds it; the caller gives it a new state in the same script.
local function unqueue(id, state)
  if state == 'ready' then ready_remove(id, job(id, 'class')[1]) end
  if state == 'backoff' then call('ZREM', K.backoff, id) end
end

local function add_edge(id, dependency, names)
  call('HSET', deps_key(id), dependency, names)
  call('SADD', dependants_key(dependency), id)
end

local function remove_edge(id, dependency)
  call('HDEL', deps_key(id), dependency)
  call('SREM', dependants_key(dependency), id)
end

-- The names '=' stand for "after it, whatever comes of it": a job waits so for the running one that it replaces.
local function remove_edges(id, keep_succession)
  local edges = call('HGETALL', deps_key(id))
  for i = 1, #edges, 2 do
    if not (keep_succession and edges[i + 1] == '=') then remove_edge(id, edges[i]) end
  end
end

-- The job of the same package whose end this one awaits; nil where it awaits none.
local function predecessor_of(id)
  local edges = call('HGETALL', deps_key(id))
  for i = 1, #edges, 2 do
    local state = edges[i + 1] == '=' and state_of(edges[i])
    if state and not FINAL[state] then return edges[i] end
  end
end

-- Whether the target lists all of these space-separated names already.
local function published(id, names)
  local key = names_key(target_of(call('HGET', job_key(id), 'key')))
  for name in string.gmatch(names, '%S+') do
    if call('SISMEMBER', key, name) == 0 then return false end
  end
  return true
end

-- What an edge says now: 'met', 'unmet' or 'failed'.
local function edge_state(id, dependency, names)
  local state = state_of(dependency)
  if not state or SATISFIED[state] then return 'met' end
  if not FINAL[state] then return 'unmet' end
  if names == '=' then return 'met' end
  local rule = call('HGET', K.policy, 'failed_dependency') or 'published'
  if rule == 'ignore' or (rule == 'published' and published(id, names)) then return 'met' end
  return 'failed'
end

-- Derives a waiting, ready or blocked job's state from its edges.
local function settle(id, by)
  local old = state_of(id)
  local edges = call('HGETALL', deps_key(id))
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
    new, reason = 'blocked', 'dependency ' .. pkgbase_of(failed) .. ' ' .. state_of(failed)
  elseif unmet > 0 then
    new = 'waiting'
  end
  if old == new then
    if new == 'ready' then ready_remove(id, job(id, 'class')[1]); ready_add(id) end
    return
  end
  unqueue(id, old)
  if new == 'ready' then make_ready(id, '', by) else enter(id, new, reason, by) end
end

-- Tells everything that waits for a job whose state decides about it. A held job looks again when it is let go.
local function settle_dependants(id)
  for _, dependant in ipairs(call('SMEMBERS', dependants_key(id))) do
    local state = state_of(dependant)
    if state == 'waiting' or state == 'blocked' or state == 'ready' then settle(dependant) end
  end
end

-- The last entry of an attempt's log, so that whoever follows it knows that nothing comes any more.
local function end_log(id, state, reason)
  local log = id .. '.' .. job(id, 'attempt')[1]
  call('XADD', log_key(log), '*', 'end', state, 'reason', reason or '')
  call('EXPIRE', log_key(log), LOG_KEPT_S, 'NX')
  local size = call('HGET', K.log_sizes, log)
  if call('ZADD', K.log_ended, NOW_TEXT, log) == 1 and size then
    call('HDEL', K.log_heads, log)
    call('DECRBY', K.log_live, size)
    call('INCRBY', K.log_kept, size)
  end
end

-- One line of a job's history for an attempt that ended and is followed by another, unless it has one; the newest are
-- kept.
local function remember(id, outcome, reason)
  local about = job(id, 'attempt', 'builder', 'started', 'history')
  if about[1] == '0' then return end
  local history = about[4] or call('HGET', long_key(id), 'history') or ''
  if string.match('\n' .. history, '\n(%d+)\t[^\n]*$') == about[1] then return end
  local line = table.concat({ about[1], outcome, about[2] or '', about[3] or '', NOW_TEXT,
    (string.gsub(string.sub(reason or '', 1, 300), '%c', ' ')) }, '\t')
  if #history > 4000 then history = string.gsub(history, '^[^\n]*\n', '', 1) end
  put_long(id, 'history', history == '' and line or history .. '\n' .. line)
end

-- A removal that waits for jobs of the target is looked at again.
local function look_again(target)
  local id = call('HGET', K.keep_lists, target)
  if id and call('ZADD', K.asks, 'XX', 'LT', 'CH', NOW_TEXT, id) == 1 then
    wake(K.wake_repository, 'asked', target)
  end
end

-- Ends a job. `state` is where it stands now. Fields that only a live job needs go.
local function finalize(id, state, final, reason, by)
  unqueue(id, state)
  local about = job(id, 'key', 'long')
  local key = about[1]
  local predecessor = predecessor_of(id)
  if state == 'building' or state == 'publishing' then call('ZREM', K.leases, id) end
  if state == 'uploaded' then call('ZREM', uploads_key(target_of(key)), id) end
  if QUEUED[state] then remove_edges(id) else end_log(id, final, reason) end
  enter(id, final, reason, by)
  call('HDEL', job_key(id), 'phase', 'cancel', 'nonce', 'avoid', 'avoid_until', 'lost', 'ready_at', 'chain', 'delay',
    'priority', 'infrastructure', 'publish_attempts', 'released', 'instance')
  if about[2] then call('HDEL', long_key(id), 'cancel') end
  if not QUEUED[state] then call('UNLINK', result_key(id)) end
  -- What was published stays known for as long as the job does.
  if (state == 'uploaded' or state == 'publishing') and final ~= 'succeeded' then forget(id, unpack(RESULT)) end
  if call('HGET', K.live, key) == id then
    if predecessor then call('HSET', K.live, key, predecessor) else call('HDEL', K.live, key) end
  end
  call('ZREM', K.active, id)
  call('ZADD', K.finished, NOW_TEXT, id)
  settle_dependants(id)
  look_again(target_of(key))
end

-- Counts a builder's infrastructure failures in a row; too many and it pauses itself, for a while.
local function builder_failed(name, reason)
  local count = call('HINCRBY', K.failures, name, 1)
  local limit = setting('self_pause_after', 3)
  if limit == 0 or count < limit or call('HEXISTS', K.modes, name) == 1 then return end
  local why = 'paused itself: ' .. count .. ' infrastructure failures in a row, the last: ' .. reason
  call('HSET', K.modes, name, cjson.encode({
    reason = why, by = name, since = NOW, till = NOW + setting('self_pause_ms', 1800000) }))
  trail('builder ' .. name, '', name, why)
  wake(K.wake, 'mode', name)
end

-- Hands a job back after a failure that is not its own, or ends it when that happened too often.
-- `lost` says that the builder vanished with it.
local function infrastructure_failure(id, reason, lost)
  local about = job(id, 'builder', 'avoid', 'lost')
  local builder = about[1] or ''
  builder_failed(builder, reason)
  local count = call('HINCRBY', job_key(id), 'infrastructure', 1)
  local victims, victim_count = about[3] or '', 0
  if lost then
    if not string.find(' ' .. victims .. ' ', ' ' .. builder .. ' ', 1, true) then victims = victims .. ' ' .. builder end
    for _ in string.gmatch(victims, '%S+') do victim_count = victim_count + 1 end
  end
  if victim_count >= 2 then
    return finalize(id, 'building', 'infrastructure-failed', reason .. '; it took down' .. victims .. ', giving up')
  end
  if count >= setting('attempts', 3) then
    return finalize(id, 'building', 'infrastructure-failed', reason .. ' (attempt ' .. count .. ', giving up)')
  end
  remember(id, lost and 'lost' or 'infrastructure', reason)
  call('ZREM', K.leases, id)
  local delay = setting('backoff_ms', 5000) * 4 ^ (count - 1)
  delay = math.floor(delay + delay / 2 * (tonumber(TIME[2]) % 1000) / 1000)
  end_log(id, 'backoff', reason)
  call('HDEL', job_key(id), 'phase', 'nonce')
  call('ZADD', K.backoff, text(NOW + delay), id)
  enter(id, 'backoff', reason, '', {
    'lost', victims, 'avoid', (about[2] or '') .. ' ' .. builder, 'avoid_until', text(NOW + delay + 60000) })
end

-- Which token ended its lease itself: of a build, or of publishing. Neither forgets because of the other. Half of the
-- nonce tells it from any other, and every job that has ended keeps this.
local function done_field(state) return state == 'publishing' and 'done_publishing' or 'done' end
local function done_mark(attempt, nonce) return attempt .. ' ' .. string.sub(nonce, 1, 16) end

-- Fencing: only the holder of the current lease may write. A finish that arrives twice is told apart from a stale one.
local function check_token(id, attempt, nonce, state)
  local now = job(id, 'state', 'attempt', 'nonce', done_field(state))
  if now[2] == attempt and now[1] == state and now[3] == nonce then return 'current' end
  if now[4] == done_mark(attempt, nonce) then return 'repeated' end
  return 'stale'
end
