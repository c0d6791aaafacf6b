-- A builder says that it is there. ARGV: instance, name, class ('' for none), slots, protocol, version, the rest as JSON,
-- '1' when it leaves. Returns {reason of its pause or '', reason of its drain or '', instance of its double or ''}.
local instance, name = ARGV[1], ARGV[2]
local key = builder_key(instance)
if ARGV[8] == '1' then
  call('UNLINK', key)
  call('ZREM', K.online, instance)
  if call('HGET', K.names, name) == instance then call('HDEL', K.names, name) end
  recount()
  return { '', '', '' }
end
local old = call('HMGET', key, 'class', 'slots', 'draining', 'started')
-- Who wrote this name since our last word is another process that thinks it is us. The first word tells nothing:
-- a predecessor that was killed leaves its name behind.
local double = call('HGET', K.names, name) or ''
if not old[4] or double == instance then double = '' end
call('HSET', K.names, name, instance)
call('HSET', key, 'name', name, 'class', ARGV[3], 'slots', ARGV[4], 'protocol', ARGV[5], 'version', ARGV[6],
  'status', ARGV[7], 'started', old[4] or NOW_TEXT, 'double', double,
  'speed', call('HGET', K.speeds, name) or NORMAL_SPEED)
call('EXPIRE', key, 604800)
call('ZADD', K.online, NOW_TEXT, instance)
if old[1] ~= ARGV[3] or old[2] ~= ARGV[4] then recount() end
return { paused(name) or '', old[3] or '', double }
