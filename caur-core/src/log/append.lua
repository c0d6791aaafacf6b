-- Appends to the log of one attempt. ARGV: job, attempt, nonce, offset of the first byte or -1 for "after what is
-- there", bytes, seconds to keep the log, ids of entries to remove.
-- Returns false when the lease is not the writer's any more, else the new entry's id, or '' when it is there already.
local key = '{caur}:build:log:' .. ARGV[1] .. '.' .. ARGV[2]
local now = redis.call('HMGET', '{caur}:queue:job:' .. ARGV[1], 'attempt', 'nonce')
if now[1] ~= ARGV[2] or now[2] ~= ARGV[3] then return false end

local offset = tonumber(ARGV[4])
local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
local stands = 0
if newest and newest[2][1] == 'o' then stands = tonumber(newest[2][2]) + #newest[2][4] end
if offset < 0 then offset = stands end
local bytes = ARGV[5]
-- The answer to an earlier call got lost, and the writer sends its bytes again, perhaps with more behind them.
if offset < stands then
  bytes = string.sub(bytes, stands - offset + 1)
  offset = stands
end
if bytes == '' then return '' end

local id = redis.call('XADD', key, '*', 'o', string.format('%.0f', offset), 'd', bytes)
redis.call('EXPIRE', key, ARGV[6])
for i = 7, #ARGV do redis.call('XDEL', key, ARGV[i]) end
return id
