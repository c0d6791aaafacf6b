-- Operations that are carried out once, under a mark that their caller chose. What one answered is kept for a while; the
-- caller that lost the answer asks again, by the same call or by `outcome`, and nothing is done twice.

local MARK_KEPT_S = 86400
-- Stands for an operation that must not be carried out any more, since its caller was told that it never was.
local VOID = 'void'

local function mark_key(mark) return '{caur}:operate:once:' .. mark end

-- Runs the body of a function. `mark` is the key of its mark; nil where it has none.
local function carry_out(mark, action, schema, body)
  local refused = begin(action, schema)
  if refused then return refused end
  if not mark then return body() end
  local known = call('GET', mark)
  if known == VOID then return redis.error_reply('VOID its caller was told that it never happened') end
  if known then return cjson.decode(known) end
  local answer = body()
  -- Nothing was done, and the next try is another call under the same mark.
  if answer[1] ~= 'conflict' then call('SET', mark, cjson.encode(answer), 'EX', MARK_KEPT_S) end
  return answer
end
