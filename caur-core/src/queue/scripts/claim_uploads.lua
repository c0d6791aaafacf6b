-- Gives a publisher everything that waits for one target. ARGV: target, holder, nonce, lease in ms, limit.
-- Returns id, attempt, key and manifest of each job, flat.
local target, nonce = ARGV[1], ARGV[3]
local answer = {}
for _, id in ipairs(call('ZRANGE', uploads_key(target), 0, tonumber(ARGV[5]) - 1)) do
  call('ZREM', uploads_key(target), id)
  call('ZADD', K.leases, text(NOW + tonumber(ARGV[4])), id)
  enter(id, 'publishing', '', '', { 'nonce', nonce })
  local about = job(id, 'attempt', 'key')
  answer[#answer + 1] = id
  answer[#answer + 1] = about[1]
  answer[#answer + 1] = about[2]
  answer[#answer + 1] = call('GET', result_key(id)) or ''
end
if call('EXISTS', uploads_key(target)) == 0 then call('SREM', K.upload_targets, target) end
return answer
