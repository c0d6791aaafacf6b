-- Says what came of a marked operation; one that did not happen yet never will. ARGV: mark, for how many seconds.
-- Returns its answer as JSON, or '' where there is none.
local key = mark_key(ARGV[1])
local known = call('GET', key)
if known and known ~= VOID then return known end
if not known then call('SET', key, VOID, 'EX', ARGV[2]) end
return ''
