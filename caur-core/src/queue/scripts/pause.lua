-- Stops and starts the queue or a builder, as ACTION says: pause, resume or drain. ARGV: the name of a builder or '' for the
-- whole queue, by, why. Returns {'ok', count of builders concerned}, or {'no', why not}.
local name, by, why = ARGV[1], ARGV[2], ARGV[3]
local said = cjson.encode({ reason = why == '' and ('paused by ' .. by) or ('paused by ' .. by .. ': ' .. why), by = by, since = NOW })
if name == '' then
  if ACTION == 'pause' then call('SET', K.pause, said) else call('DEL', K.pause) end
  trail('queue', '', by, why)
  wake(K.wake, 'mode', '*')
  return { 'ok', '0' }
end
local instances = {}
for _, instance in ipairs(call('ZRANGE', K.online, 0, -1)) do
  if call('HGET', builder_key(instance), 'name') == name then instances[#instances + 1] = instance end
end
if #instances == 0 and call('HEXISTS', K.modes, name) == 0 then
  return { 'no', 'no builder of that name was seen: `builders list` shows them' }
end
if ACTION == 'drain' then
  for _, instance in ipairs(instances) do
    call('HSET', builder_key(instance), 'draining', why == '' and ('drained by ' .. by) or ('drained by ' .. by .. ': ' .. why))
  end
elseif ACTION == 'pause' then
  call('HSET', K.modes, name, said)
else
  call('HDEL', K.modes, name)
  -- Its failures so far are forgiven.
  call('HDEL', K.failures, name)
  for _, instance in ipairs(instances) do call('HDEL', builder_key(instance), 'draining') end
end
recount()
trail('builder ' .. name, '', by, why)
wake(K.wake, 'mode', name)
return { 'ok', text(#instances) }
