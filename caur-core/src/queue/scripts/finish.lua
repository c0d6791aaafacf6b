-- Ends an attempt. ARGV: id, attempt, nonce, outcome, reason, built commit, manifest as JSON, seconds.
-- Returns 'stale', 'repeated', or the state that the job is in now.
local id, attempt, nonce, outcome, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local token = check_token(id, attempt, nonce, 'building')
if token ~= 'current' then return token end
mark_done(id, attempt, nonce)
if ARGV[6] ~= '' then redis.call('HSET', job_key(id), 'built_commit', ARGV[6]) end

local cancel = job(id, 'cancel')[1]
local final = {
  ['already-built'] = 'already-built', skipped = 'skipped', failed = 'failed', ['timed-out'] = 'timed-out',
  ['out-of-memory'] = 'out-of-memory', canceled = 'canceled',
}

if cancel then
  finalize(id, 'building', 'canceled', cancel)
elseif outcome == 'built' then
  local about = request(id, 'key', 'target')
  local seconds = tonumber(ARGV[8])
  local learned = tonumber(redis.call('HGET', K.durations, about[1]) or ARGV[8])
  redis.call('HSET', K.durations, about[1], text(math.max(1, math.floor(learned * 0.7 + seconds * 0.3 + 0.5))))
  redis.call('ZREM', K.leases, id)
  leave_work(id)
  redis.call('HSET', result_key(id), 'manifest', ARGV[7])
  redis.call('HDEL', job_key(id), 'phase')
  redis.call('ZADD', uploads_key(about[2]), text(NOW), id)
  redis.call('SADD', K.upload_targets, about[2])
  enter(id, 'uploaded', reason)
  wake(K.wake_publisher)
elseif outcome == 'infrastructure' then
  infrastructure_failure(id, reason)
elseif outcome == 'released' then
  redis.call('ZREM', K.leases, id)
  redis.call('HDEL', job_key(id), 'phase')
  end_log(id, 'ready', reason)
  make_ready(id, reason)
else
  finalize(id, 'building', final[outcome], reason)
end
return job(id, 'state')[1]
