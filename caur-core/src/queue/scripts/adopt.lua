-- A builder that was started anew goes on with a build of its predecessor. ARGV: id, attempt, nonce, instance, lease in ms.
-- Returns {'stale'}, or what a claim gives.
local id = ARGV[1]
if check_token(id, ARGV[2], ARGV[3], 'building') ~= 'current' then return { 'stale' } end
local name = call('HGET', builder_key(ARGV[4]), 'name')
if not name then return { 'unknown' } end
call('HSET', job_key(id), 'instance', ARGV[4])
call('ZADD', K.leases, text(NOW + tonumber(ARGV[5])), id)
return hand_over(id, ARGV[2])
