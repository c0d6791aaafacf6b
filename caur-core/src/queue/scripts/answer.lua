-- Answers a request. ARGV: id, nonce, answer as JSON, by, what the trail says or '', in how many ms it is looked at again
-- or '', for how many ms it is, what is left for then as JSON. Returns 'stale' or 'ok'.
local id, later = ARGV[1], ARGV[6]
local about = asked(id, 'nonce', 'target', 'round', 'action')
if about[1] ~= ARGV[2] then return 'stale' end
-- Later rounds finish what the first one said is to be done.
if about[3] == '0' then answer_ask(id, ARGV[3]) end
if about[4] ~= '' and ARGV[5] ~= '' then
  ACTION = about[4]
  trail(about[2], '', ARGV[4], ARGV[5])
end
if later == '' then
  end_ask(id)
else
  call('HDEL', asked_key(id), 'nonce', 'lost')
  call('HINCRBY', asked_key(id), 'round', 1)
  call('HSET', asked_key(id), 'left', ARGV[8])
  if about[3] == '0' then call('HSET', asked_key(id), 'expires', text(NOW + tonumber(ARGV[7]))) end
  call('ZREM', K.ask_leases, id)
  call('ZADD', K.asks, text(NOW + tonumber(later)), id)
end
return 'ok'
