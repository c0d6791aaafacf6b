-- What is kept of the past for people to look at; nothing that the queue decides depends on it. Each change of a state
-- costs a few small writes here: phases of an attempt, the last builds of a package, and counters of an hour, which stand
-- in one string, so that a week of them is read quickly over a bad link.

local HOUR_MS = 3600000
local HOURS_KEPT_S = 691200
local SAMPLE_MS = 300000
local PAST_KEPT = 20

local PHASE_CODES = { fetch = 'f', prepare = 'p', build = 'b', upload = 'u', uploaded = 'U', publishing = 'P' }

local function past_key(key) return '{caur}:q:past:' .. key end
local function hour_key(time) return '{caur}:q:hour:' .. text(math.floor(time / HOUR_MS)) end
local function builders_key(time) return '{caur}:q:hour-builders:' .. text(math.floor(time / HOUR_MS)) end

-- The phases of the last attempt, as CODE:MILLISECONDS after its claim each.
local function phases_of(id)
  local about = job(id, 'phases', 'long')
  return about[1] or (about[2] and call('HGET', long_key(id), 'phases')) or ''
end

-- When an attempt entered a phase, in milliseconds after its claim; nil where it did not.
local function phase_start(phases, code)
  for name, start in string.gmatch(phases, '([^ :]+):(%d+)') do
    if name == code then return tonumber(start) end
  end
end

-- Notes that an attempt enters a phase, once; a name that is none is left out.
local function note_phase(id, name)
  local started = job(id, 'started')[1]
  if not started or #name > 32 or not string.find(name, '^[%w-]+$') then return end
  local phases, code = phases_of(id), PHASE_CODES[name] or name
  if phase_start(phases, code) then return end
  local entry = code .. ':' .. text(NOW - tonumber(started))
  put_long(id, 'phases', phases == '' and entry or phases .. ' ' .. entry)
end

-- Adds one to some of the counters of this hour.
local function count(places)
  local key, words = hour_key(NOW), {}
  for _, place in ipairs(places) do
    local n = #words
    words[n + 1], words[n + 2], words[n + 3], words[n + 4] = 'INCRBY', 'u32', '#' .. place, 1
  end
  for _, now in ipairs(call('BITFIELD', key, unpack(words))) do
    if now == 1 then return call('EXPIRE', key, HOURS_KEPT_S) end
  end
end

-- The counter of a duration in a histogram that begins at the counter `first`.
local function bucket(first, milliseconds)
  local seconds = milliseconds / 1000
  local place = 1
  while place <= #HISTOGRAM_BOUNDS and seconds >= HISTOGRAM_BOUNDS[place] + 1 do place = place + 1 end
  return first + place - 1
end

-- What a builder did: an attempt that left `building` for `state`. Its time counts for the hours in which it passed.
local function count_build(builder, started, state)
  local is_build = BUILT[state] or BUILDER_FAILED[state]
  local builds, failures = is_build and 1 or 0, is_build and state ~= 'uploaded' and 1 or 0
  local from = math.min(NOW, math.max(started, NOW - HOURS_KEPT_S * 1000))
  repeat
    local key = builders_key(from)
    local till = math.min(NOW, (math.floor(from / HOUR_MS) + 1) * HOUR_MS)
    local seconds, last = math.floor(till / 1000) - math.floor(from / 1000), till == NOW
    local sums = call('HGET', key, builder)
    local b, f, s = string.match(sums or '', '^(%d+) (%d+) (%d+)$')
    b, f, s = (b or 0) + (last and builds or 0), (f or 0) + (last and failures or 0), (s or 0) + seconds
    call('HSET', key, builder, table.concat({ text(b), text(f), text(s) }, ' '))
    if not sums then call('EXPIRE', key, HOURS_KEPT_S) end
    from = till
  until last
end

-- One line of a package's past. Its jobs are kept as long as finished ones, and so is this.
local function note_past(id, attempt, builder, key, started, built, state, reason)
  local outcome = (state == 'backoff' and 'infrastructure') or (state == 'ready' and 'released') or state
  local length = call('LPUSH', past_key(key), table.concat({ id, attempt, outcome, builder, text(started), NOW_TEXT,
    text(math.floor(built / 1000)), (string.gsub(string.sub(reason, 1, 200), '%c', ' ')) }, '\t'))
  if length > PAST_KEPT then call('LTRIM', past_key(key), 0, PAST_KEPT - 1) end
  call('PEXPIRE', past_key(key), text(setting('keep_finished_ms', 2592000000)))
end

-- Follows every change of a state; `old` is what `enter` knew of the job before.
note_change = function(id, old, state, reason)
  local from, attempt, builder, key = old[1], old[2] or '0', old[3] or '', old[4]
  local started = tonumber(old[9] or '')
  local counters = {}
  if state == 'building' then
    -- The first attempt waits from when the job became ready first, the others do from when it did again.
    local since = tonumber(attempt == '1' and old[10] or old[8])
    counters[1] = bucket(WAITS_AT, math.max(0, NOW - since))
    if attempt ~= '1' then forget(id, 'phases') end
  elseif from == 'building' and started then
    count_build(builder, started, state)
    if BUILT[state] then counters[1] = bucket(BUILDS_AT, NOW - started) end
  end
  if FINAL[state] then counters[#counters + 1] = ENDED[state] end
  if counters[1] then count(counters) end

  if state == 'uploaded' or state == 'publishing' then
    note_phase(id, state)
  elseif started and from == 'building' then
    note_past(id, attempt, builder, key, started, NOW - started, state, reason)
  elseif started and (from == 'uploaded' or from == 'publishing') then
    local built = phase_start(phases_of(id), PHASE_CODES.uploaded) or NOW - started
    note_past(id, attempt, builder, key, started, built, state, reason)
  end
end

-- Notes how long the queue is, every few minutes.
local function take_sample()
  local last = call('XREVRANGE', K.samples, '+', '-', 'COUNT', 1)[1]
  if last and NOW - tonumber(string.match(last[1], '^%d+')) < SAMPLE_MS then return end
  local ready, uploaded, building, slots = 0, 0, 0, 0
  for _, group in ipairs(call('HKEYS', K.work)) do ready = ready + call('ZCARD', short_set(group)) end
  for _, target in ipairs(call('SMEMBERS', K.upload_targets)) do uploaded = uploaded + call('ZCARD', uploads_key(target)) end
  local leased = call('ZRANGE', K.leases, 0, -1)
  for _, id in ipairs(leased) do
    if state_of(id) == 'building' then building = building + 1 end
  end
  for _, instance in ipairs(call('ZRANGEBYSCORE', K.online, text(NOW - BUILDER_GONE_MS), '+inf')) do
    slots = slots + tonumber(call('HGET', builder_key(instance), 'slots') or '0')
  end
  local blocked, held, backoff = call('ZCARD', K.blocked), call('SCARD', K.held), call('ZCARD', K.backoff)
  local waiting = call('ZCARD', K.active) - ready - uploaded - #leased - blocked - held - backoff
  call('XADD', K.samples, 'MINID', '~', text(NOW - HOURS_KEPT_S * 1000), '*',
    's', table.concat({ waiting, ready, blocked, held, backoff, building, slots }, ' '))
end
