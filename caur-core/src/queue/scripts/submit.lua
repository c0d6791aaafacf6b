-- Commits a plan. ARGV: graph version it was made on, plan as JSON, who asks.
-- Returns {'conflict'} when the graph changed since, else {'ok', then id and disposition of every job}.
-- Plan: jobs = [{request fields as text, expected, chain, deps = {"#index" or id: names}}],
--       extra = [[id of a queued job, index of the job that it now waits for, names]],
--       chains = {id of a queued job: its new chain}
local version = redis.call('GET', K.graph) or '0'
if version ~= ARGV[1] then return { 'conflict' } end
redis.call('INCR', K.graph)

local plan = cjson.decode(ARGV[2])
local by = ARGV[3]
local ids, dispositions, canceling = {}, {}, {}
local last = tonumber(redis.call('GET', K.last_id) or '0')

for index, new in ipairs(plan.jobs) do
  local key = new.request.key
  local live = redis.call('HGET', K.live, key)
  local state = live and job(live, 'state')[1]
  local fresh = true
  local disposition = 'queued'
  if live and QUEUED[state] then
    ids[index], fresh, disposition = live, false, 'replaced'
    unqueue(live, state)
    -- What waits for it stays; so does an edge to the running job that it succeeds.
    local edges = redis.call('HGETALL', deps_key(live))
    for i = 1, #edges, 2 do
      if edges[i + 1] ~= '=' then remove_edge(live, edges[i]) end
    end
    leave_work(live)
  else
    last = math.max(last + 1, NOW)
    ids[index] = text(last)
    if live then disposition = 'succeeds ' .. live end
    if state == 'building' then canceling[index] = live end
  end
  dispositions[index] = disposition

  local id = ids[index]
  redis.call('DEL', request_key(id))
  for field, value in pairs(new.request) do redis.call('HSET', request_key(id), field, value) end
  redis.call('HSET', request_key(id), 'by', by, 'submitted', text(NOW))
  redis.call('HSET', job_key(id), 'expected', text(new.expected), 'chain', text(new.chain))
  redis.call('INCRBY', K.work, text(new.expected))
  redis.call('HSET', K.live, key, id)
  redis.call('ZADD', K.active, id, id)
  if fresh then
    redis.call('HSET', job_key(id), 'attempt', '0', 'infrastructure', '0')
    if live then add_edge(id, live, '=') end
    enter(id, 'waiting', disposition == 'queued' and '' or disposition, by)
  else
    redis.call('HSET', job_key(id), 'infrastructure', '0')
    redis.call('HDEL', job_key(id), 'avoid', 'avoid_until')
    enter(id, 'waiting', 'updated by a newer request', by)
  end
end
redis.call('SET', K.last_id, text(last))

-- A running job that is replaced is stopped; whatever waited for it waits for its successor.
for index, old in pairs(canceling) do
  redis.call('HSET', job_key(old), 'cancel', 'replaced by job ' .. ids[index])
  for _, dependant in ipairs(redis.call('SMEMBERS', dependants_key(old))) do
    if dependant ~= ids[index] then
      local names = redis.call('HGET', deps_key(dependant), old)
      remove_edge(dependant, old)
      add_edge(dependant, ids[index], names)
    end
  end
end

for index, new in ipairs(plan.jobs) do
  for dependency, names in pairs(new.deps) do
    if string.sub(dependency, 1, 1) == '#' then dependency = ids[tonumber(string.sub(dependency, 2))] end
    -- One that became final and was trimmed since the plan was made cannot be waited for.
    if dependency ~= ids[index] and redis.call('EXISTS', job_key(dependency)) == 1 then
      add_edge(ids[index], dependency, names)
    end
  end
end

-- Queued jobs of earlier batches that need something of this one.
local touched = {}
for _, edge in ipairs(plan.extra) do
  local id, dependency = edge[1], ids[edge[2]]
  local state = job(id, 'state')[1]
  if QUEUED[state] then
    -- An edge to a failed older job of the same package is answered by the newer one.
    local key = request(dependency, 'key')[1]
    for _, old in ipairs(redis.call('HKEYS', deps_key(id))) do
      if old ~= dependency and request(old, 'key')[1] == key and FINAL[job(old, 'state')[1] or ''] then
        remove_edge(id, old)
      end
    end
    add_edge(id, dependency, edge[3])
    touched[id] = true
  end
end

for id, chain in pairs(plan.chains) do
  local state = job(id, 'state')[1]
  if QUEUED[state] then
    redis.call('HSET', job_key(id), 'chain', text(chain))
    if state == 'ready' then touched[id] = true end
  end
end

local answer = { 'ok' }
for index, id in ipairs(ids) do
  settle(id, by)
  answer[#answer + 1] = id
  answer[#answer + 1] = dispositions[index]
end
for id in pairs(touched) do settle(id, by) end
return answer
