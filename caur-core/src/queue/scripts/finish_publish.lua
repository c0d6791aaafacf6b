-- Ends the publishing of one job. ARGV: id, attempt, nonce, outcome ('succeeded', 'failed', 'retry'), reason, packages.
-- Returns 'stale', 'repeated', or the state that the job is in now.
local id, attempt, nonce, outcome = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local token = check_token(id, attempt, nonce, 'publishing')
if token ~= 'current' then return token end
call('HSET', job_key(id), done_field('publishing'), done_mark(attempt, nonce))
if outcome == 'retry' then
  local target = target_of(job(id, 'key')[1])
  call('HDEL', job_key(id), 'nonce')
  call('ZREM', K.leases, id)
  call('ZADD', uploads_key(target), NOW_TEXT, id)
  call('SADD', K.upload_targets, target)
  enter(id, 'uploaded', ARGV[5])
else
  -- Mostly they are the files that were uploaded, whose names are kept already.
  local names = job(id, 'names')[1] or call('HGET', long_key(id), 'names')
  put_long(id, 'packages', names == ARGV[6] and '=' or ARGV[6])
  finalize(id, 'publishing', outcome, ARGV[5])
end
return state_of(id)
