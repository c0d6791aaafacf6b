-- Expires leases, ends pauses and waits that took too long, forgets what is old, all in bounded steps.
-- ARGV: sweeper's name, how long it stays elected in ms, grace for live leases in ms, gap between sweeps in ms that
-- counts as an outage. Returns {elected 0/1, expired, resumed, given up, trimmed jobs, trimmed logs}.
local LIMIT = 200
local holder = call('GET', K.sweeper)
if holder and holder ~= ARGV[1] then return { 0, 0, 0, 0, 0, 0 } end
call('SET', K.sweeper, ARGV[1], 'PX', ARGV[2])

-- Nobody looked for a while: Redis or every sweeper was away, and so nobody could extend a lease either.
-- All get another chance once before anything is expired.
local swept = tonumber(call('GET', K.swept) or '0')
call('SET', K.swept, NOW_TEXT)
if NOW - swept > tonumber(ARGV[4]) then
  for _, id in ipairs(call('ZRANGEBYSCORE', K.leases, '-inf', text(NOW + tonumber(ARGV[3])))) do
    call('ZADD', K.leases, text(NOW + tonumber(ARGV[3])), id)
  end
end

local expired = call('ZRANGEBYSCORE', K.leases, '-inf', NOW_TEXT, 'LIMIT', 0, LIMIT)
for _, id in ipairs(expired) do
  local now = job(id, 'state', 'builder', 'key')
  call('HDEL', job_key(id), 'nonce')
  if now[1] == 'building' then
    local cancel = cancel_of(id)
    if cancel then
      finalize(id, 'building', 'canceled', cancel)
    else
      infrastructure_failure(id, 'builder ' .. (now[2] or '?') .. ' lost: its lease ran out', true)
    end
  else
    local target = target_of(now[3])
    local count = call('HINCRBY', job_key(id), 'publish_attempts', 1)
    call('ZREM', K.leases, id)
    if count >= PUBLISH_ATTEMPTS then
      finalize(id, 'publishing', 'infrastructure-failed', 'publishing stopped ' .. count .. ' times')
    else
      call('ZADD', uploads_key(target), NOW_TEXT, id)
      call('SADD', K.upload_targets, target)
      enter(id, 'uploaded', 'publisher lost: its lease ran out')
      wake(K.wake_publisher, 'uploaded', target)
    end
  end
end

local resumed = call('ZRANGEBYSCORE', K.backoff, '-inf', NOW_TEXT, 'LIMIT', 0, LIMIT)
for _, id in ipairs(resumed) do
  call('ZREM', K.backoff, id)
  make_ready(id, job(id, 'reason')[1])
end

local given_up = call('ZRANGEBYSCORE', K.blocked, '-inf', text(NOW - setting('blocked_ms', 604800000)), 'LIMIT', 0, LIMIT)
for _, id in ipairs(given_up) do
  finalize(id, 'blocked', 'failed', job(id, 'reason')[1] .. ', and nobody mended it in time')
end

-- A failed job is kept while something is blocked on it; a page full of such jobs must not hide those behind it.
local trimmed = 0
local excess = call('ZCARD', K.finished) - setting('keep_finished', 200000)
local old = NOW - setting('keep_finished_ms', 2592000000)
for page = 0, 4 do
  local found = call('ZRANGE', K.finished, page * LIMIT, page * LIMIT + LIMIT - 1, 'WITHSCORES')
  for i = 1, #found, 2 do
    local id = found[i]
    if (trimmed < excess or tonumber(found[i + 1]) <= old) and call('EXISTS', dependants_key(id)) == 0 then
      call('UNLINK', request_key(id), job_key(id), long_key(id), deps_key(id), result_key(id))
      call('ZREM', K.finished, id)
      trimmed = trimmed + 1
    end
  end
  if trimmed > 0 or #found < 2 * LIMIT then break end
end

-- Ended logs go by age and by what they need together.
local logs = 0
local kept = tonumber(call('GET', K.log_kept) or '0')
local budget = setting('log_kept_bytes', 4294967296)
old = NOW - setting('log_kept_ms', LOG_KEPT_S * 1000)
local ended = call('ZRANGE', K.log_ended, 0, LIMIT - 1, 'WITHSCORES')
for i = 1, #ended, 2 do
  if kept <= budget and tonumber(ended[i + 1]) > old then break end
  local size = call('HGET', K.log_sizes, ended[i]) or '0'
  call('UNLINK', log_key(ended[i]))
  call('HDEL', K.log_sizes, ended[i])
  call('ZREM', K.log_ended, ended[i])
  kept = call('DECRBY', K.log_kept, size)
  logs = logs + 1
end
local events_from = NOW - setting('keep_events_ms', 2592000000)
call('XTRIM', K.events, 'MINID', '~', text(events_from), 'LIMIT', 10000)

for _, name in ipairs(call('HKEYS', K.modes)) do paused(name) end
for _, instance in ipairs(call('ZRANGEBYSCORE', K.online, '-inf', text(NOW - 604800000), 'LIMIT', 0, LIMIT)) do
  call('ZREM', K.online, instance)
  call('UNLINK', builder_key(instance))
end
recount()
take_sample()
return { 1, #expired, #resumed, #given_up, trimmed, logs }
