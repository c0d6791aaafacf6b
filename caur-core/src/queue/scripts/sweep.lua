-- Expires leases and ends pauses. ARGV: sweeper's name, how long it stays elected in ms, grace for live leases in ms,
-- retention of finished jobs in ms, gap between sweeps in ms that counts as an outage. Returns {elected 0/1, expired, resumed, trimmed}.
local LIMIT = 100
local holder = redis.call('GET', K.sweeper)
if holder and holder ~= ARGV[1] then return { 0, 0, 0, 0 } end
redis.call('SET', K.sweeper, ARGV[1], 'PX', ARGV[2])

-- Nobody looked for a while: Redis or every sweeper was away, and so nobody could extend a lease either.
-- All get another chance once before anything is expired.
local swept = tonumber(redis.call('GET', K.swept) or '0')
redis.call('SET', K.swept, text(NOW))
if NOW - swept > tonumber(ARGV[5]) then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', K.leases, '-inf', text(NOW + tonumber(ARGV[3])))) do
    redis.call('ZADD', K.leases, text(NOW + tonumber(ARGV[3])), id)
  end
end

local expired = redis.call('ZRANGEBYSCORE', K.leases, '-inf', text(NOW), 'LIMIT', 0, LIMIT)
for _, id in ipairs(expired) do
  local now = job(id, 'state', 'builder', 'cancel')
  redis.call('HDEL', job_key(id), 'nonce')
  if now[1] == 'building' then
    local reason = 'builder ' .. (now[2] or '?') .. ' lost: its lease ran out'
    if now[3] then
      finalize(id, 'building', 'canceled', now[3])
    else
      infrastructure_failure(id, reason)
    end
  else
    local target = request(id, 'target')[1]
    local count = redis.call('HINCRBY', job_key(id), 'publish_attempts', 1)
    redis.call('ZREM', K.leases, id)
    if count >= PUBLISH_ATTEMPTS then
      finalize(id, 'publishing', 'infrastructure-failed', 'publishing stopped ' .. count .. ' times')
    else
      redis.call('ZADD', uploads_key(target), text(NOW), id)
      redis.call('SADD', K.upload_targets, target)
      enter(id, 'uploaded', 'publisher lost: its lease ran out')
      wake(K.wake_publisher)
    end
  end
end

local resumed = redis.call('ZRANGEBYSCORE', K.backoff, '-inf', text(NOW), 'LIMIT', 0, LIMIT)
for _, id in ipairs(resumed) do
  redis.call('ZREM', K.backoff, id)
  make_ready(id, job(id, 'reason')[1])
end

-- A failed job is kept while something is blocked on it; a page full of such jobs must not hide those behind it.
local trimmed = 0
local old = text(NOW - tonumber(ARGV[4]))
for page = 0, 9 do
  local ids = redis.call('ZRANGEBYSCORE', K.finished, '-inf', old, 'LIMIT', page * LIMIT, LIMIT)
  for _, id in ipairs(ids) do
    if redis.call('EXISTS', dependants_key(id)) == 0 then
      redis.call('DEL', request_key(id), job_key(id), deps_key(id), result_key(id))
      redis.call('ZREM', K.finished, id)
      trimmed = trimmed + 1
    end
  end
  if trimmed > 0 or #ids < LIMIT then break end
end
return { 1, #expired, #resumed, trimmed }
