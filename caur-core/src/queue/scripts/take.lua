-- How a builder gets a job. The order is that of queue/policy.rs; queue/tests/order.rs holds the two to each other.

-- What is known of the jobs that a claim looks at: the first of both orders is often the same.
local avoided
-- Jobs that are looked at for one that does not avoid this builder.
local LOOKED_AT = 16
-- The byte @, with which the groups of builders' names begin; a class is a number.
local NAMED = 64

-- A job avoids builders that failed it, for a while, unless nobody else is there.
local function avoids(id, name)
  local known = avoided[id]
  if known == nil then
    local about = job(id, 'avoid', 'avoid_until')
    known = about[1] and tonumber(about[2]) > NOW and string.find(about[1] .. ' ', ' ' .. name .. ' ', 1, true)
      and call('ZCOUNT', K.online, text(NOW - BUILDER_GONE_MS), '+inf') > 1
    avoided[id] = known
  end
  return known
end

-- The first job of a sorted set that does not avoid this builder, and its score.
local function head(set, name)
  local found = call('ZRANGE', set, 0, 0, 'WITHSCORES')
  if not found[1] or not avoids(found[1], name) then return found[1], tonumber(found[2]) end
  found = call('ZRANGE', set, 1, LOOKED_AT - 1, 'WITHSCORES')
  for i = 1, #found, 2 do
    if not avoids(found[i], name) then return found[i], tonumber(found[i + 1]) end
  end
end

local function hash(key)
  local flat, fields = call('HGETALL', key), {}
  for i = 1, #flat, 2 do fields[flat[i]] = tonumber(flat[i + 1]) end
  return fields
end

local function seconds(work, capacity) return work * NORMAL_SPEED / capacity end

-- Line by line what policy::choose does. Indices count the classes that the builder takes; the one behind them
-- stands for the jobs that name it.
local function choose(name, class, speed)
  avoided = {}
  local own = '@' .. name
  local work, capacity = hash(K.work), hash(K.capacity)
  local heads = {}
  local function head_of(group, set_of)
    local set = set_of(group)
    local found = heads[set]
    if not found then
      found = { head(set, name) }
      heads[set] = found
    end
    return found[1], found[2]
  end

  local own_work, own_capacity = work[own] or 0, math.max(capacity[own] or 0, speed)
  local numbers = {}
  for group in pairs(work) do
    local number = string.byte(group) ~= NAMED and tonumber(group)
    if number then numbers[#numbers + 1] = number end
  end
  for group in pairs(capacity) do
    local number = not work[group] and string.byte(group) ~= NAMED and tonumber(group)
    if number then numbers[#numbers + 1] = number end
  end
  table.sort(numbers)
  local taken, levels, level = 0, {}, { work = 0, capacity = 0, fastest = 0 }
  for i = #numbers, 1, -1 do
    local group = text(numbers[i])
    level = {
      group = group, own_work = work[group] or 0, work = level.work + (work[group] or 0),
      capacity = level.capacity + (capacity[group] or 0), fastest = math.max(level.fastest, capacity['f' .. group] or 0),
    }
    levels[i] = level
    if class and numbers[i] <= class then taken = math.max(taken, i) end
  end

  local function group_at(i) return i <= taken and levels[i].group or own end
  local function first(from, set_of)
    local id, key, index
    for i = from, taken + 1 do
      local group = group_at(i)
      -- A group without work has nothing ready.
      if work[group] then
        local candidate, score = head_of(group, set_of)
        if candidate and (not id or score < key or (score == key and candidate < id)) then
          id, key, index = candidate, score, i
        end
      end
    end
    return id, key, index
  end

  local first_id, first_key, first_at = first(1, short_set)
  if not first_id then return nil end
  local from, load = taken + 1, seconds(own_work, own_capacity)
  for i = taken, 1, -1 do
    local needed = seconds(levels[i].work + own_work, math.max(levels[i].capacity, speed))
    if needed >= load then from, load = i, needed end
  end
  local chosen, chosen_key, at
  if from > 1 then chosen, chosen_key, at = first(from, short_set) end
  if not chosen then from, chosen, chosen_key, at = 1, first_id, first_key, first_at end

  local function scarce()
    local function slots(i) return math.max(levels[i].capacity, speed) end
    if own_work > 0 and taken > 0 and slots(1) > own_capacity then return taken + 1 end
    local highest = taken
    while highest > 0 and levels[highest].own_work == 0 do highest = highest - 1 end
    for i = 1, highest - 1 do
      if slots(i) <= slots(highest) then return i end
    end
    return math.max(1, highest)
  end
  local function fastest(i) return math.max(speed, i <= taken and levels[i].fastest or 0) end
  local function remaining(i, chain) return chain * NORMAL_SPEED / fastest(i) end
  -- How long a chain takes when the builder starts it and the fastest ones go on.
  local function started_here(i, id, chain)
    local expected = tonumber(job(id, 'expected')[1])
    return seconds(expected, speed) + remaining(i, chain - expected)
  end

  -- When all is done, as far as this builder sees.
  local function whole()
    local longest, longest_key, where = first(1, chain_set)
    return longest and math.max(load, remaining(where, -longest_key % CHAIN_STEP)) or load
  end

  local id, key, index = first(math.max(from, scarce()), chain_set)
  if id then
    local chain = -key % CHAIN_STEP
    if chain >= load * URGENT
      and (speed >= fastest(index) or started_here(index, id, chain) * DOUBT <= whole()) then
      chosen, at = id, index
      chosen_key = tonumber(call('ZSCORE', short_set(group_at(index)), id))
    end
  end
  if chosen_key - first_key > SLACK then return first_id end
  if speed < fastest(at) then
    local set = chain_set(group_at(at))
    local chain = -tonumber(call('ZSCORE', set, chosen)) % CHAIN_STEP
    if started_here(at, chosen, chain) > math.min(load * PATIENCE + remaining(at, chain), whole()) then return nil end
  end
  return chosen
end

-- A claimed job: what its builder needs to know of it.
local function hand_over(id, attempt)
  local about = job(id, 'since', 'started', 'expected', 'builder', 'instance')
  return { 'job', id, tonumber(attempt), call('GET', request_key(id)), {
    'state', 'building', 'attempt', attempt, 'since', about[1], 'started', about[2], 'expected', about[3],
    'builder', about[4], 'instance', about[5] } }
end

-- Gives `instance` one job for its slot, or says why not. Asking again with the same nonce gives the same job.
local function take(instance, slot, nonce, lease)
  local about = call('HMGET', builder_key(instance), 'name', 'class', 'draining', 'protocol', 'claim:' .. slot, 'speed')
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
  local stopped = call('GET', K.pause)
  if stopped then return { 'queue-paused', cjson.decode(stopped).reason } end
  local reason = paused(name)
  if reason then return { 'paused', reason } end

  local id = choose(name, tonumber(about[2]), tonumber(about[6] or NORMAL_SPEED))
  if not id then return { 'none' } end
  local now = job(id, 'class', 'attempt')
  ready_remove(id, now[1])
  local attempt = tonumber(now[2]) + 1
  call('HSET', builder_key(instance), 'claim:' .. slot, id .. ' ' .. nonce)
  call('ZADD', K.leases, text(NOW + lease), id)
  call('HSET', job_key(id), 'attempt', attempt, 'builder', name)
  enter(id, 'building', '', '', { 'instance', instance, 'nonce', nonce, 'started', NOW_TEXT })
  return hand_over(id, attempt)
end
