-- Ends a sweeper's election at once, so that its successor need not wait for it. ARGV: sweeper's name.
if redis.call('GET', K.sweeper) == ARGV[1] then redis.call('DEL', K.sweeper) end
return redis.status_reply('OK')
