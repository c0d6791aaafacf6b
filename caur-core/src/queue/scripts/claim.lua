-- Gives a builder one job. ARGV: builder, class ('' takes only jobs for its name), nonce, lease in ms, version.
-- Returns false, or {id, attempt}.
local builder, class, nonce, lease = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])

redis.call('ZADD', K.seen, text(NOW), builder)
redis.call('HSET', K.builders, builder, cjson.encode({ class = ARGV[2], version = ARGV[5] }))

local groups = { '@' .. builder }
if class then
  for _, number in ipairs(redis.call('ZRANGEBYSCORE', K.classes, '-inf', class)) do groups[#groups + 1] = number end
end

-- A job avoids the builder that failed it last, unless nobody else is there.
local alone = redis.call('ZCOUNT', K.seen, text(NOW - BUILDER_GONE_MS), '+inf') <= 1

-- The best job of a sorted set that does not avoid this builder.
local function first(set)
  local found = redis.call('ZRANGE', set, 0, 15, 'WITHSCORES')
  for i = 1, #found, 2 do
    local avoid = job(found[i], 'avoid', 'avoid_until')
    if alone or avoid[1] ~= builder or tonumber(avoid[2] or '0') <= NOW then return found[i], tonumber(found[i + 1]) end
  end
end

local function best(set_of)
  local id, score
  for _, group in ipairs(groups) do
    local candidate, value = first(set_of(group))
    if candidate and (not score or value < score or (value == score and candidate < id)) then
      id, score = candidate, value
    end
  end
  return id, score
end

-- Urgent chains first, else the shortest expected job: a chain is urgent when it takes at least half of what
-- every slot still has to do. Keeps the total near its lower bound and the mean wait short.
local id, score = best(chain_set)
if not id then return false end
local slots = math.max(1, redis.call('ZCOUNT', K.seen, text(NOW - BUILDER_GONE_MS), '+inf'))
local work = tonumber(redis.call('GET', K.work) or '0')
if -score < work / slots / 2 then id = best(short_set) or id end

ready_remove(id)
local attempt = text(redis.call('HINCRBY', job_key(id), 'attempt', 1))
redis.call('HSET', job_key(id), 'builder', builder, 'nonce', nonce, 'started', text(NOW))
redis.call('HDEL', job_key(id), 'phase', 'cancel')
redis.call('ZADD', K.leases, text(NOW + lease), id)
enter(id, 'building')
return { id, attempt }
