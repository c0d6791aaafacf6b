-- What an operator does to one job, as ACTION says: cancel, release, hold, unhold or priority. ARGV: id, by, why, value.
-- Returns {'ok', state}, or {'no', why not}.
local id, by, why = ARGV[1], ARGV[2], ARGV[3]
local now = job(id, 'state', 'key', 'attempt', 'builder')
local state, key = now[1], now[2]
if not state then return { 'no', 'there is no such job' } end
if FINAL[state] then return { 'no', 'it has ended already: ' .. state } end

local said = by
if why ~= '' then said = by .. ': ' .. why end

local function note(text_of_event)
  event(id, key, state, state, now[3], now[4] or '', text_of_event, by)
end

if ACTION == 'cancel' then
  local reason = 'canceled by ' .. said
  if state == 'publishing' then return { 'no', 'it is being published, which is past canceling' } end
  if state == 'building' then
    if cancel_of(id) then return { 'ok', state } end
    put_cancel(id, reason)
    note(reason)
  else
    finalize(id, state, 'canceled', reason, by)
  end
elseif ACTION == 'priority' then
  if not QUEUED[state] then return { 'no', 'it is ' .. state .. ' and not in the queue' } end
  call('HSET', job_key(id), 'priority', ARGV[4])
  if state == 'ready' then ready_remove(id, job(id, 'class')[1]); ready_add(id) end
  note('priority ' .. ARGV[4])
elseif ACTION == 'hold' then
  if state == 'held' then return { 'ok', state } end
  if not QUEUED[state] then return { 'no', 'it is ' .. state .. ' and not in the queue' } end
  unqueue(id, state)
  enter(id, 'held', 'held by ' .. said, by)
elseif ACTION == 'unhold' then
  if state ~= 'held' then return { 'no', 'it is ' .. state .. ' and not held' } end
  settle(id, by)
else
  if not QUEUED[state] then return { 'no', 'it is ' .. state .. ' and not in the queue' } end
  local first = predecessor_of(id)
  if first then
    return { 'no', 'it waits for job ' .. first .. ' of the same package, which still runs: cancel that one' }
  end
  remove_edges(id)
  call('HSET', job_key(id), 'released', '1')
  settle(id, by)
end
if ACTION == 'priority' then why = ARGV[4] .. (why ~= '' and ': ' .. why or '') end
trail(key, id, by, why)
return { 'ok', state_of(id) }
