-- Gives a database the oldest request that is due, one of each target at a time. ARGV: nonce, lease in ms.
-- Returns {} or {id, request as JSON, when it was asked for, round, what is left for it as JSON}.
for _, id in ipairs(call('ZRANGEBYSCORE', K.ask_leases, '-inf', NOW_TEXT)) do
  call('ZREM', K.ask_leases, id)
  call('HDEL', asked_key(id), 'nonce')
  local lost = call('HINCRBY', asked_key(id), 'lost', 1)
  if lost >= PUBLISH_ATTEMPTS then
    drop_ask(id, 'failed', 'databases vanished ' .. lost .. ' times while they carried it out')
  else
    -- It keeps its place.
    call('ZADD', K.asks, asked(id, 'asked')[1], id)
  end
end
local busy = {}
for _, id in ipairs(call('ZRANGE', K.ask_leases, 0, -1)) do busy[asked(id, 'target')[1]] = true end
for _, id in ipairs(call('ZRANGEBYSCORE', K.asks, '-inf', NOW_TEXT)) do
  local about = asked(id, 'target', 'asked', 'expires', 'round', 'begun', 'keep', 'left')
  local target, newest = about[1], about[6] and (call('HGET', K.keep_lists, about[1]) or 'it has ended')
  if busy[target] then
    -- It waits for the one before it.
  elseif newest and newest ~= id then
    drop_ask(id, 'refused', 'superseded by a newer request: ' .. newest)
  elseif (not about[5] or about[4] ~= '0') and tonumber(about[3]) <= NOW then
    drop_ask(id, 'expired', 'no database began it in time')
  else
    call('ZREM', K.asks, id)
    call('ZADD', K.ask_leases, text(NOW + tonumber(ARGV[2])), id)
    call('HSET', asked_key(id), 'nonce', ARGV[1], 'begun', '1')
    return { id, call('GET', ask_key(id)) or '', about[2], about[4], about[7] or '{}' }
  end
end
return {}
