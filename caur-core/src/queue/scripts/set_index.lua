-- Replaces the index of a target's published packages. ARGV: target, then pkgname, entry as JSON and
-- space-separated names (pkgname and provides) of every package.
local target = ARGV[1]
local index = '{caur}:publish:index:' .. target
call('DEL', index, names_key(target))
call('SADD', '{caur}:publish:targets', target)
for i = 2, #ARGV, 3 do
  call('HSET', index, ARGV[i], ARGV[i + 1])
  for name in string.gmatch(ARGV[i + 2], '%S+') do call('SADD', names_key(target), name) end
end
-- What a blocked job lacks may be there now.
for _, id in ipairs(call('ZRANGE', K.blocked, 0, -1)) do
  if target_of(job(id, 'key')[1]) == target then settle(id) end
end
return call('INCR', '{caur}:publish:version')
