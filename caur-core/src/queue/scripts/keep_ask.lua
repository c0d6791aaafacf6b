-- Extends the lease of a request. ARGV: id, nonce, lease in ms. Returns 'stale' or 'go on'.
if asked(ARGV[1], 'nonce')[1] ~= ARGV[2] then return 'stale' end
call('ZADD', K.ask_leases, text(NOW + tonumber(ARGV[3])), ARGV[1])
return 'go on'
