-- Empties the queue: every job, its log and the events go; what is known of builders, packages and durations stays.
-- ARGV: by, why, how many jobs whoever asks knows of. Returns {'ok', how many there were}, or {'no', why not}.
local ids = call('ZRANGE', K.active, 0, -1)
for _, id in ipairs(call('ZRANGE', K.finished, 0, -1)) do ids[#ids + 1] = id end
if #ids ~= tonumber(ARGV[3]) then return { 'no', 'by now there are ' .. #ids .. '; nothing was changed' } end
for _, id in ipairs(ids) do
  local about = job(id, 'class', 'key')
  local group = group_of(about[1])
  call('UNLINK', chain_set(group), short_set(group), uploads_key(target_of(about[2])))
  call('UNLINK', request_key(id), job_key(id), long_key(id), deps_key(id), dependants_key(id), result_key(id),
    past_key(about[2]))
end
for _, log in ipairs(call('HKEYS', K.log_sizes)) do call('UNLINK', log_key(log)) end
call('UNLINK', K.active, K.finished, K.backoff, K.blocked, K.held, K.events, K.leases, K.live,
  K.upload_targets, K.work, K.log_live, K.log_kept, K.log_sizes,
  K.log_ended, K.log_heads)
call('INCR', K.graph)
trail('queue', '', ARGV[1], #ids .. ' jobs removed' .. (ARGV[2] ~= '' and ': ' .. ARGV[2] or ''))
return { 'ok', text(#ids) }
