-- A page of the log of one attempt, read only. KEYS: the log. ARGV: 'before', 'after' or 'at'; an id, or for 'at' an
-- offset; bytes at most.
-- 'before': entries up to and with the id, newest first. 'after': entries behind the id, oldest first. 'at': those from
-- the one on that holds the offset (in a cut: the next one, behind the end: the last one), oldest first.
-- Returns the entries, at least one with bytes where there is one, and 1 where no entry stands in front of them, else 0.
local key, way, place, limit = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])

local function is_data(entry) return entry[2][1] == 'o' end
-- Only asked of entries with bytes.
local function behind(entry) return tonumber(entry[2][2]) + #entry[2][4] end
local function millis(id) return tonumber(string.match(id, '^%d+')) end
local function next_of(from) return redis.call('XRANGE', key, from, '+', 'COUNT', 1)[1] end

-- The id of the entry that holds `offset`, by halving the time between what is too early and what is not.
local function find(offset)
  local last
  for _, entry in ipairs(redis.call('XREVRANGE', key, '+', '-', 'COUNT', 2)) do
    if is_data(entry) and not last then last = entry end
  end
  if not last then return nil end
  offset = math.min(offset, behind(last) - 1)
  local low, high = millis(next_of('-')[1]), millis(last[1])
  -- The first entry from `high` on is late enough. Nothing before `low` is.
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    local entry = next_of(string.format('%.0f', middle))
    if behind(entry) > offset then high = middle else low = millis(entry[1]) end
  end
  local from = string.format('%.0f', low)
  while true do
    for _, entry in ipairs(redis.call('XRANGE', key, from, '+', 'COUNT', 64)) do
      if behind(entry) > offset then return entry[1] end
      from = '(' .. entry[1]
    end
  end
end

local command, from, to = 'XRANGE', '(' .. place, '+'
if way == 'before' then
  command, from, to = 'XREVRANGE', place, '-'
elseif way == 'at' then
  from = find(tonumber(place))
  if not from then from = '+' end
end

local page, bytes, whole = {}, 0, false
while not whole do
  local entries = redis.call(command, key, from, to, 'COUNT', 16)
  whole = #entries < 16
  for _, entry in ipairs(entries) do
    local size = is_data(entry) and #entry[2][4] or 0
    if bytes > 0 and bytes + size > limit then
      entries, whole = nil, false
      break
    end
    bytes = bytes + size
    table.insert(page, entry)
    from = '(' .. entry[1]
  end
  if not entries then break end
end

local starts = 0
if way == 'before' then
  if whole then starts = 1 end
else
  local first = next_of('-')
  if not first or page[1] and page[1][1] == first[1] then starts = 1 end
end
return {page, starts}
