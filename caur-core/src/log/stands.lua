-- What stands in the log of one attempt, newest entry first, without its bytes. ARGV: job, attempt, id to go on
-- below or '+', entries at most.
-- Returns for each entry its id, the offset of its first byte and its length; the end of a log has no bytes.
local key = '{caur}:build:log:' .. ARGV[1] .. '.' .. ARGV[2]
local below = ARGV[3]
if below ~= '+' then below = '(' .. below end
local found = {}
for _, entry in ipairs(redis.call('XREVRANGE', key, below, '-', 'COUNT', ARGV[4])) do
  local fields = entry[2]
  if fields[1] == 'o' then
    table.insert(found, {entry[1], tonumber(fields[2]), #fields[4]})
  else
    table.insert(found, {entry[1], -1, 0})
  end
end
return found
