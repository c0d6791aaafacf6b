-- Appends to the log of one attempt. ARGV: job, attempt, nonce, offset of the first byte or -1 for "after what is
-- there", bytes, seconds to keep the log, ids of entries to remove.
-- Returns false when the lease is not the writer's any more, else the new entry's id, or '' when it is there already.
--
-- All live logs together have a budget. Where it is used up, a log that needs more than its share loses from its
-- middle: its first half share stays, and its end.
local log = ARGV[1] .. '.' .. ARGV[2]
local key = '{caur}:build:log:' .. log
local sizes, total = '{caur}:build:log-sizes', '{caur}:build:log-live'
local heads = '{caur}:build:log-heads'
local now = redis.call('HMGET', '{caur}:q:j:' .. ARGV[1], 'attempt', 'nonce')
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

local grown = #bytes
local function remove(entry)
  if redis.call('XDEL', key, entry[1]) == 1 then grown = grown - #entry[2][4] end
end
for i = 7, #ARGV do
  local entry = redis.call('XRANGE', key, ARGV[i], ARGV[i])[1]
  if entry then remove(entry) end
end
local size = redis.call('HINCRBY', sizes, log, grown)
local live = redis.call('INCRBY', total, grown)

local budget = tonumber(redis.call('HGET', '{caur}:config:queue', 'log_live_bytes') or '1073741824')
if live > budget then
  local share = budget / math.max(1, redis.call('HLEN', sizes) - redis.call('ZCARD', '{caur}:build:log-ended'))
  if size > share then
    -- Where the part that stays ends: found once, by walking from the start.
    local head = redis.call('HGET', heads, log)
    if not head then
      local kept, from = 0, '-'
      while not head do
        local page = redis.call('XRANGE', key, from, '+', 'COUNT', 64)
        for _, entry in ipairs(page) do
          kept = kept + #entry[2][4]
          if kept > share / 2 and not head then head = entry[1] end
        end
        if #page == 0 then head = id end
        if not head then from = '(' .. page[#page][1] end
      end
      redis.call('HSET', heads, log, head)
    end
    grown = 0
    for _, entry in ipairs(redis.call('XRANGE', key, '(' .. head, '(' .. id, 'COUNT', 64)) do
      if size + grown <= share then break end
      remove(entry)
    end
    redis.call('HINCRBY', sizes, log, grown)
    redis.call('INCRBY', total, grown)
  end
end
return id
