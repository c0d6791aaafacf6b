-- Extends a lease. ARGV: id, attempt, nonce, state ('building' or 'publishing'), lease in ms, phase.
-- Returns 'stale', 'go on', or 'cancel REASON'.
local id = ARGV[1]
if check_token(id, ARGV[2], ARGV[3], ARGV[4]) ~= 'current' then return 'stale' end
call('ZADD', K.leases, text(NOW + tonumber(ARGV[5])), id)
local about = job(id, 'phase', 'key', 'attempt', 'builder')
if ARGV[6] ~= '' and ARGV[6] ~= about[1] then
  call('HSET', job_key(id), 'phase', ARGV[6])
  note_phase(id, ARGV[6])
  -- Whoever watches need not ask.
  ACTION = 'phase'
  event(id, about[2], ARGV[4], ARGV[4], about[3], about[4] or '', ARGV[6], '')
end
local cancel = cancel_of(id)
if cancel then return 'cancel ' .. cancel end
return 'go on'
