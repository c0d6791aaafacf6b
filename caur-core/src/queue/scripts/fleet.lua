-- The builders that are there, and what each may do.

-- What the builders that live, take jobs and speak the farm's protocol can do: the speeds of all slots together per
-- class and per name, and below `f` and the class the speed of the fastest.
local function recount()
  local slots = {}
  local function add(group, count) slots[group] = (slots[group] or 0) + count end
  for _, instance in ipairs(call('ZRANGEBYSCORE', K.online, text(NOW - BUILDER_GONE_MS), '+inf')) do
    local about = call('HMGET', builder_key(instance), 'name', 'class', 'slots', 'draining', 'protocol', 'speed')
    if about[1] and not about[4] and about[5] == PROTOCOL and call('HEXISTS', K.modes, about[1]) == 0 then
      local speed = tonumber(about[6] or NORMAL_SPEED)
      if about[2] ~= '' then
        add(about[2], tonumber(about[3]) * speed)
        slots['f' .. about[2]] = math.max(slots['f' .. about[2]] or 0, speed)
      end
      add('@' .. about[1], tonumber(about[3]) * speed)
    end
  end
  call('DEL', K.capacity)
  for group, count in pairs(slots) do call('HSET', K.capacity, group, text(count)) end
end

-- Why a builder of this name takes no jobs; nil where it may. A pause of its own ends by itself.
local function paused(name)
  local mode = call('HGET', K.modes, name)
  if not mode then return nil end
  local about = cjson.decode(mode)
  if about.till and about.till <= NOW then
    call('HDEL', K.modes, name)
    recount()
    return nil
  end
  return about.reason
end
