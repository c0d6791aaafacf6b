-- Ends a sweeper's election at once, so that its successor need not wait for it. ARGV: sweeper's name.
if call('GET', K.sweeper) == ARGV[1] then call('DEL', K.sweeper) end
return redis.status_reply('OK')
