-- What people and CI ask of the repository. A request waits in `asks` until it is due, or stands in `ask_leases` while a
-- `database` carries it out. Its text is the asker's, its answer the database's, where it stands belongs to neither.

local ANSWERS_KEPT_S = 86400

local function ask_key(id) return '{caur}:operate:ask:' .. id end
local function asked_key(id) return '{caur}:q:ask:' .. id end
local function answer_key(id) return '{caur}:publish:answer:' .. id end
local function asked(id, ...) return call('HMGET', asked_key(id), ...) end

-- Says what came of a request; whoever waits for it hears of it.
local function answer_ask(id, answer)
  call('SET', answer_key(id), answer, 'EX', ANSWERS_KEPT_S)
  wake(K.wake_repository, 'answered', id)
end

-- Ends a request; nothing but its answer stays.
local function end_ask(id)
  local target = asked(id, 'target')[1]
  call('ZREM', K.asks, id)
  call('ZREM', K.ask_leases, id)
  if target and call('HGET', K.keep_lists, target) == id then call('HDEL', K.keep_lists, target) end
  call('UNLINK', ask_key(id), asked_key(id))
end

-- Ends a request that no database answers. One that was answered and was to be looked at again keeps that answer.
local function drop_ask(id, outcome, message)
  local about = asked(id, 'target', 'round', 'action')
  if about[2] == '0' then
    answer_ask(id, cjson.encode({ outcome = outcome, message = message, by = 'queue', at = NOW }))
  end
  if about[3] ~= '' then
    ACTION = about[3]
    trail(about[1], '', 'queue', outcome .. ': ' .. message)
  end
  end_ask(id)
end
