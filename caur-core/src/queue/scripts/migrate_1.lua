-- Brings a queue of schema 1 to schema 2 in one step. Takes no arguments; returns how many jobs there were.
-- Schema 1 kept its keys below `{caur}:queue:`. Programs of schema 1 that still run find nothing there: their leases
-- are stale, and what they try to submit or claim is refused by the text that stands where they look first.
local function old(name) return '{caur}:queue:' .. name end

local function list(words, pattern)
  local items = {}
  for word in string.gmatch(words or '', pattern or '%S+') do items[#items + 1] = cjson.encode(word) end
  return '[' .. table.concat(items, ',') .. ']'
end

local function optional(value) return value and value ~= '' and cjson.encode(value) or 'null' end

local function move(from, to)
  if call('EXISTS', from) == 1 then call('RENAME', from, to) end
end

for _, name in ipairs({ 'active', 'backoff', 'durations', 'events', 'finished', 'last-id', 'live', 'upload-targets' }) do
  move(old(name), '{caur}:q:' .. name)
end

local ids = call('ZRANGE', K.active, 0, -1)
for _, id in ipairs(call('ZRANGE', K.finished, 0, -1)) do ids[#ids + 1] = id end
for _, id in ipairs(ids) do
  local request, now = {}, {}
  local flat = call('HGETALL', '{caur}:submit:job:' .. id)
  for i = 1, #flat, 2 do request[flat[i]] = flat[i + 1] end
  flat = call('HGETALL', old('job:' .. id))
  for i = 1, #flat, 2 do now[flat[i]] = flat[i + 1] end
  local repo, arch = string.match(request.target, '^(.*)/(.*)$')
  call('SET', request_key(id), '{"target":{"repo":' .. cjson.encode(repo) .. ',"arch":' .. cjson.encode(arch)
    .. '},"source":' .. cjson.encode(request.source) .. ',"pkgbase":' .. cjson.encode(request.pkgbase)
    .. ',"class":' .. cjson.encode(request.class) .. ',"names":' .. list(request.names) .. ',"needs":' .. list(request.needs)
    .. ',"build_commit":' .. optional(request.build_commit) .. ',"status_commit":' .. optional(request.status_commit)
    .. ',"arch_mirror":' .. optional(request.arch_mirror) .. ',"rebuild":false,"by":' .. cjson.encode(request.by or '') .. '}')

  local fields = { 'key', request.key, 'class', request.class, 'since', now.since, 'state', now.state }
  for _, name in ipairs({ 'attempt', 'infrastructure', 'expected', 'chain', 'builder', 'started', 'done',
    'built_commit', 'publish_attempts' }) do
    if now[name] then fields[#fields + 1] = name; fields[#fields + 1] = now[name] end
  end
  call('HSET', job_key(id), unpack(fields))
  for _, name in ipairs({ 'reason', 'packages' }) do
    if now[name] and now[name] ~= '' then put_long(id, name, now[name]) end
  end
  move(old('deps:' .. id), deps_key(id))
  move(old('dependants:' .. id), dependants_key(id))
  local manifest = call('HGET', '{caur}:build:result:' .. id, 'manifest')
  call('DEL', '{caur}:build:result:' .. id)
  if manifest and not FINAL[now.state] then call('SET', result_key(id), manifest) end

  if WORK[now.state] then add_work(request.class, now.expected, '') end
  if now.state == 'uploaded' then
    move(old('uploads:' .. request.target), uploads_key(request.target))
  elseif now.state == 'blocked' then
    call('ZADD', K.blocked, now.since, id)
  elseif now.state == 'ready' then
    call('HSET', job_key(id), 'ready_at', now.since)
    ready_add(id)
  end
  call('DEL', '{caur}:submit:job:' .. id)
end
-- Who held a lease has lost it.
for _, id in ipairs(call('ZRANGE', K.active, 0, -1)) do
  local now = job(id, 'state', 'key')
  local cancel = call('HGET', old('job:' .. id), 'cancel')
  if now[1] == 'building' and cancel then
    finalize(id, 'building', 'canceled', cancel)
  elseif now[1] == 'building' then
    end_log(id, 'ready', 'the queue was upgraded')
    make_ready(id, 'the queue was upgraded while it was built')
  elseif now[1] == 'publishing' then
    local target = target_of(now[2])
    move(old('uploads:' .. target), uploads_key(target))
    call('ZADD', uploads_key(target), NOW_TEXT, id)
    call('SADD', K.upload_targets, target)
    enter(id, 'uploaded', 'the queue was upgraded while it was published')
  end
end
for _, id in ipairs(ids) do call('DEL', old('job:' .. id)) end

for _, group in ipairs(call('ZRANGE', old('classes'), 0, -1)) do
  call('DEL', old('ready:' .. group .. ':chain'), old('ready:' .. group .. ':short'))
end
for _, name in ipairs(call('HKEYS', '{caur}:build:builders')) do
  call('DEL', old('ready:@' .. name .. ':chain'), old('ready:@' .. name .. ':short'))
end
call('DEL', old('classes'), old('leases'), old('swept'), old('sweeper'), old('wake'), old('wake-publisher'),
  old('work'), '{caur}:build:builders')
call('SET', old('graph'), 'moved to schema 2')
call('SET', '{caur}:build:seen', 'moved to schema 2')
call('SET', K.graph, '1')
call('SET', K.schema, '2')
return #ids
