-- Extends a lease. ARGV: id, attempt, nonce, state ('building' or 'publishing'), lease in ms, phase, note.
-- Returns 'stale', 'go on', or 'cancel REASON'.
local id = ARGV[1]
if check_token(id, ARGV[2], ARGV[3], ARGV[4]) ~= 'current' then return 'stale' end
redis.call('ZADD', K.leases, text(NOW + tonumber(ARGV[5])), id)
if ARGV[6] ~= '' then redis.call('HSET', job_key(id), 'phase', ARGV[6]) end
if ARGV[7] ~= '' then redis.call('HSET', job_key(id), 'reason', ARGV[7]) end
local now = job(id, 'cancel', 'builder')
if ARGV[4] == 'building' then redis.call('ZADD', K.seen, text(NOW), now[2]) end
if now[1] then return 'cancel ' .. now[1] end
return 'go on'
