-- Commits a plan. ARGV: graph version it was made on, plan as JSON, who asks, why.
-- Returns {'conflict'} when the graph changed since, {'no', why not}, or {'ok', then id and disposition of every job}.
-- Plan: jobs = [{key, class, request as JSON, expected, chain, deps = {"#index" or id: names}, broken = names,
--                delay, id = a final job that is to be built again}],
--       extra = [[id of a queued job, index of the job that it now waits for, names]],
--       cut = [[id of a queued job, index of the job that it needs and does not wait for, as that would close a cycle]],
--       chains = {id of a queued job: its new chain}, delays = {likewise}
local version = call('GET', K.graph) or '0'
if version ~= ARGV[1] then return { 'conflict' } end

local plan = cjson.decode(ARGV[2])
local by = ARGV[3]
for _, new in ipairs(plan.jobs) do
  if new.id then
    local state, live = state_of(new.id), call('HGET', K.live, new.key)
    if not state then return { 'no', 'there is no job ' .. new.id } end
    if live then return { 'no', 'job ' .. live .. ' of the same package is ' .. state_of(live) .. ' already' } end
    if not FINAL[state] then return { 'no', 'job ' .. new.id .. ' is ' .. state .. ' and has not ended' } end
  end
end
call('INCR', K.graph)

local ids, dispositions, canceling, revived = {}, {}, {}, {}
local counts = { queued = 0, replaced = 0, again = 0 }
local last = tonumber(call('GET', K.last_id) or '0')

for index, new in ipairs(plan.jobs) do
  local key = new.key
  local live = call('HGET', K.live, key)
  local state = live and state_of(live)
  local id, disposition
  if live and QUEUED[state] then
    id, disposition = live, 'replaced'
    counts.replaced = counts.replaced + 1
    unqueue(id, state)
    -- What waits for it stays; so does an edge to the running job that it succeeds.
    remove_edges(id, true)
    local old = job(id, 'class', 'expected')
    if WORK[state] then add_work(old[1], old[2], '-') end
  elseif new.id then
    id, disposition = new.id, 'again'
    counts.again = counts.again + 1
    revived[#revived + 1] = id
    local about = job(id, 'state', 'reason')
    remember(id, about[1], about[2] ~= '' and about[2] or call('HGET', long_key(id), 'reason') or '')
    call('ZREM', K.finished, id)
    forget(id, 'packages', unpack(RESULT))
  else
    last = math.max(last + 1, NOW)
    id, disposition = text(last), 'queued'
    counts.queued = counts.queued + 1
    if live then disposition = 'succeeds ' .. live end
    if state == 'building' then canceling[index] = live end
  end
  ids[index], dispositions[index] = id, disposition

  call('SET', request_key(id), new.request)
  call('HSET', K.live, key, id)
  call('ZADD', K.active, id, id)
  local fields = { 'key', key, 'class', new.class, 'expected', text(new.expected), 'chain', text(new.chain),
    'delay', text(new.delay) }
  call('HSET', job_key(id), unpack(fields))
  if new.broken then
    put_long(id, 'broken', new.broken)
  elseif disposition ~= 'queued' then
    forget(id, 'broken')
  end
  if disposition == 'replaced' then
    call('HDEL', job_key(id), 'avoid', 'avoid_until', 'lost', 'infrastructure', 'released')
    if WORK[state] then add_work(new.class, text(new.expected), '') end
    -- Somebody holds it back; a newer request does not change that.
    if state ~= 'held' then enter(id, 'waiting', 'updated by a newer request', by) end
  else
    if disposition ~= 'again' then call('HSET', job_key(id), 'attempt', '0') end
    if live then add_edge(id, live, '=') end
    enter(id, 'waiting', disposition == 'queued' and '' or disposition, by)
  end
end
call('SET', K.last_id, text(last))

-- A running job that is replaced is stopped; whatever waited for it waits for its successor.
for index, old in pairs(canceling) do
  put_cancel(old, 'replaced by job ' .. ids[index])
  for _, dependant in ipairs(call('SMEMBERS', dependants_key(old))) do
    if dependant ~= ids[index] then
      local names = call('HGET', deps_key(dependant), old)
      remove_edge(dependant, old)
      add_edge(dependant, ids[index], names)
    end
  end
end

for index, new in ipairs(plan.jobs) do
  for dependency, names in pairs(new.deps) do
    if string.sub(dependency, 1, 1) == '#' then dependency = ids[tonumber(string.sub(dependency, 2))] end
    -- One that became final and was trimmed since the plan was made cannot be waited for.
    if dependency ~= ids[index] and call('EXISTS', job_key(dependency)) == 1 then
      add_edge(ids[index], dependency, names)
    end
  end
end

-- An edge to a failed older job of the same package is answered by the newer one, waited for or not.
local function answered(id, dependency)
  local key = job(dependency, 'key')[1]
  for _, old in ipairs(call('HKEYS', deps_key(id))) do
    local about = job(old, 'key', 'state')
    if old ~= dependency and about[1] == key and FINAL[about[2] or ''] then remove_edge(id, old) end
  end
end

-- Queued jobs of earlier batches that need something of this one.
local touched = {}
for _, edge in ipairs(plan.extra) do
  local id, dependency = edge[1], ids[edge[2]]
  local state = state_of(id)
  if QUEUED[state] then
    answered(id, dependency)
    add_edge(id, dependency, edge[3])
    touched[id] = state
  end
end
for _, edge in ipairs(plan.cut) do
  local id, state = edge[1], state_of(edge[1])
  if state == 'blocked' or state == 'held' then
    answered(id, ids[edge[2]])
    touched[id] = state
  end
end

for field, values in pairs({ chain = plan.chains, delay = plan.delays }) do
  for id, value in pairs(values) do
    local state = state_of(id)
    if QUEUED[state] then
      call('HSET', job_key(id), field, text(value))
      if state == 'ready' then touched[id] = state end
    end
  end
end

local answer = { 'ok' }
for index, id in ipairs(ids) do
  if state_of(id) ~= 'held' then settle(id, by) end
  answer[#answer + 1] = id
  answer[#answer + 1] = dispositions[index]
end
for id, state in pairs(touched) do
  if state ~= 'held' then settle(id, by) end
end
for _, id in ipairs(revived) do settle_dependants(id) end
local about = #ids == 1 and plan.jobs[1].key or #ids .. ' packages'
trail(about, #ids == 1 and ids[1] or '', by, counts.queued .. ' queued, ' .. counts.replaced .. ' replaced, '
  .. counts.again .. ' again' .. (ARGV[4] ~= '' and ': ' .. ARGV[4] or ''))
return answer
