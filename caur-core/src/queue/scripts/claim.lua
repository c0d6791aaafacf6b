-- Gives a builder one job. ARGV: instance, slot, nonce, lease in ms. Returns what take() does.
return take(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]))
