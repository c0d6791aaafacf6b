-- Ends an attempt and, where asked, claims the next job in the same step.
-- ARGV: id, attempt, nonce, outcome, reason, built commit, manifest as JSON, seconds,
-- image, files, their names and what namcap said as they are kept, then nothing, or instance, slot, nonce and lease in ms of the next claim.
-- Returns {'stale', 'repeated' or the state that the job is in now, answer of take() or nothing}.
local id, attempt, nonce, outcome, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local FAILS = {
  ['already-built'] = 'already-built', skipped = 'skipped', failed = 'failed', ['timed-out'] = 'timed-out',
  ['out-of-memory'] = 'out-of-memory', canceled = 'canceled',
}

-- How fast a builder is, in thousandths, from what builds took that were not too short to tell.
local function learn_speed(name, expected, seconds, known)
  if not known or expected < 30 then return end
  local ratio = math.min(4, math.max(0.25, expected / math.max(1, seconds))) * NORMAL_SPEED
  local old = tonumber(call('HGET', K.speeds, name) or NORMAL_SPEED)
  call('HSET', K.speeds, name, text(old * 0.9 + ratio * 0.1))
end

local function finish()
  local token = check_token(id, attempt, nonce, 'building')
  if token ~= 'current' then return token end
  call('HSET', job_key(id), done_field('building'), done_mark(attempt, nonce))
  if ARGV[6] ~= '' then call('HSET', job_key(id), 'built_commit', ARGV[6]) end

  local about = job(id, 'builder', 'key', 'expected', 'cancel', 'long')
  local cancel = about[4] or (about[5] and cancel_of(id))
  if outcome ~= 'infrastructure' then call('HDEL', K.failures, about[1]) end
  if cancel then
    finalize(id, 'building', 'canceled', cancel)
    return 'canceled'
  elseif outcome == 'built' then
    local seconds = tonumber(ARGV[8])
    local learned = tonumber(call('HGET', K.durations, about[2]) or '')
    local now = learned and learned * 0.7 + seconds * 0.3 or seconds
    call('HSET', K.durations, about[2], text(math.max(1, math.floor(now + 0.5))))
    learn_speed(about[1], tonumber(about[3]), seconds, learned)
    local target = target_of(about[2])
    call('ZREM', K.leases, id)
    call('SET', result_key(id), ARGV[7])
    for i, field in ipairs(RESULT) do
      if ARGV[8 + i] ~= '' then put_long(id, field, ARGV[8 + i]) end
    end
    call('HDEL', job_key(id), 'phase', 'nonce')
    call('ZADD', uploads_key(target), NOW_TEXT, id)
    call('SADD', K.upload_targets, target)
    enter(id, 'uploaded', reason)
    wake(K.wake_publisher, 'uploaded', target)
    return 'uploaded'
  elseif outcome == 'infrastructure' then
    infrastructure_failure(id, reason, false)
    return state_of(id)
  elseif outcome == 'released' then
    remember(id, 'released', reason)
    call('ZREM', K.leases, id)
    call('HDEL', job_key(id), 'phase', 'nonce')
    end_log(id, 'ready', reason)
    make_ready(id, reason)
    return 'ready'
  end
  finalize(id, 'building', FAILS[outcome], reason)
  return FAILS[outcome]
end

local answer = { finish() }
if ARGV[13] then
  ACTION = 'claim'
  answer[2] = take(ARGV[13], ARGV[14], ARGV[15], tonumber(ARGV[16]))
end
return answer
