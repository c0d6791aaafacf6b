-- The builders that are there, and what each may do.

-- Slots per class and per name, of builders that live, take jobs and speak the farm's protocol.
local function recount()
  local slots = {}
  local function add(group, count) slots[group] = (slots[group] or 0) + count end
  for _, instance in ipairs(redis.call('ZRANGEBYSCORE', K.online, text(NOW - BUILDER_GONE_MS), '+inf')) do
    local about = redis.call('HMGET', builder_key(instance), 'name', 'class', 'slots', 'draining', 'protocol')
    if about[1] and not about[4] and about[5] == PROTOCOL and redis.call('HEXISTS', K.modes, about[1]) == 0 then
      if about[2] ~= '' then add(about[2], tonumber(about[3])) end
      add('@' .. about[1], tonumber(about[3]))
    end
  end
  redis.call('DEL', K.capacity)
  for group, count in pairs(slots) do redis.call('HSET', K.capacity, group, text(count)) end
end

-- Why a builder of this name takes no jobs; nil where it may. A pause of its own ends by itself.
local function paused(name)
  local mode = redis.call('HGET', K.modes, name)
  if not mode then return nil end
  local about = cjson.decode(mode)
  if about.till and about.till <= NOW then
    redis.call('HDEL', K.modes, name)
    recount()
    return nil
  end
  return about.reason
end
