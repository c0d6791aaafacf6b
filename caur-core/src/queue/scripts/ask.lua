-- Asks for something of the repository. ARGV: id, target, request as JSON, what the trail calls it or '', its summary, by,
-- why, how long it may wait in ms, '1' where it takes the place of older requests of its kind, how many may wait.
-- Returns {'ok'}, {'known'} where this very request was made before, or {'no', why not}.
local id, target, action, why = ARGV[1], ARGV[2], ARGV[4], ARGV[7]
if call('EXISTS', ask_key(id), answer_key(id)) > 0 then return { 'known' } end
if call('ZCARD', K.asks) + call('ZCARD', K.ask_leases) >= tonumber(ARGV[10]) then
  return { 'no', ARGV[10] .. ' requests wait already: is a database running?' }
end
call('SET', ask_key(id), ARGV[3])
call('HSET', asked_key(id), 'target', target, 'action', action, 'asked', NOW_TEXT,
  'expires', text(NOW + tonumber(ARGV[8])), 'round', '0')
call('ZADD', K.asks, NOW_TEXT, id)
if ARGV[9] == '1' then
  call('HSET', asked_key(id), 'keep', '1')
  call('HSET', K.keep_lists, target, id)
end
if action ~= '' then
  ACTION = action
  trail(target, '', ARGV[6], ARGV[5] .. (why ~= '' and ': ' .. why or ''))
end
wake(K.wake_repository, 'asked', target)
return { 'ok' }
