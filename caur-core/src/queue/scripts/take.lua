-- How a builder gets a job. The order is that of queue/policy.rs; a test holds the two to each other.

-- Jobs that are looked at for one that does not avoid this builder.
local LOOKED_AT = 16

-- A job avoids builders that failed it, for a while, unless nobody else is there.
local function avoids(id, name)
  local about = job(id, 'avoid', 'avoid_until')
  return about[1] and tonumber(about[2]) > NOW and string.find(about[1] .. ' ', ' ' .. name .. ' ', 1, true)
    and redis.call('ZCOUNT', K.online, text(NOW - BUILDER_GONE_MS), '+inf') > 1
end

local function first(set, name)
  local found = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  if not found[1] or not avoids(found[1], name) then return found[1], tonumber(found[2]) end
  found = redis.call('ZRANGE', set, 1, LOOKED_AT - 1, 'WITHSCORES')
  for i = 1, #found, 2 do
    if not avoids(found[i], name) then return found[i], tonumber(found[i + 1]) end
  end
end

local function best(groups, set_of, name)
  local id, score
  for _, group in ipairs(groups) do
    local candidate, value = first(set_of(group), name)
    if candidate and (not score or value < score or (value == score and candidate < id)) then
      id, score = candidate, value
    end
  end
  return id, score
end

local function choose(name, class)
  local groups = { '@' .. name }
  if class then
    for _, number in ipairs(redis.call('ZRANGEBYSCORE', K.classes, '-inf', class)) do groups[#groups + 1] = number end
  end
  local id, score = best(groups, chain_set, name)
  if not id then return nil end
  local work, slots = 0, 0
  local held = redis.call('HVALS', K.work)
  for _, seconds in ipairs(held) do work = work + tonumber(seconds) end
  local capacity = redis.call('HGETALL', K.capacity)
  for i = 1, #capacity, 2 do
    if string.sub(capacity[i], 1, 1) ~= '@' then slots = slots + tonumber(capacity[i + 1]) end
  end
  if -score < work / math.max(1, slots) / 2 then id = best(groups, short_set, name) or id end
  return id
end

local function hand_over(id, attempt)
  return { 'job', id, attempt, redis.call('GET', request_key(id)), redis.call('HGETALL', job_key(id)) }
end

-- Gives `instance` one job for its slot, or says why not. Asking again with the same nonce gives the same job.
local function take(instance, slot, nonce, lease)
  local about = redis.call('HMGET', builder_key(instance), 'name', 'class', 'draining', 'protocol', 'claim:' .. slot)
  local name = about[1]
  if not name then return { 'unknown' } end
  if about[4] ~= PROTOCOL then
    return { 'incompatible', 'it speaks protocol ' .. about[4] .. ', this farm speaks ' .. PROTOCOL }
  end
  if about[5] then
    local id, last = string.match(about[5], '^(%d+) (.*)$')
    if last == nonce then
      local now = job(id, 'nonce', 'state', 'attempt')
      if now[1] == nonce and now[2] == 'building' then return hand_over(id, now[3]) end
    end
  end
  if about[3] then return { 'draining', about[3] } end
  local stopped = redis.call('GET', K.pause)
  if stopped then return { 'queue-paused', cjson.decode(stopped).reason } end
  local reason = paused(name)
  if reason then return { 'paused', reason } end

  local id = choose(name, tonumber(about[2]))
  if not id then return { 'none' } end
  local now = job(id, 'class', 'attempt')
  ready_remove(id, now[1])
  local attempt = text(tonumber(now[2]) + 1)
  redis.call('HSET', builder_key(instance), 'claim:' .. slot, id .. ' ' .. nonce)
  redis.call('ZADD', K.leases, text(NOW + lease), id)
  redis.call('HSET', job_key(id), 'attempt', attempt, 'builder', name)
  enter(id, 'building', '', '', { 'instance', instance, 'nonce', nonce, 'started', text(NOW) })
  return hand_over(id, attempt)
end
