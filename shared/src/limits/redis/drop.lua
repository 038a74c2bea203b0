-- Removes what was taken in under this id.
-- KEYS: the list. ARGV: the id.
if redis.call('lindex', KEYS[1], 0) == ARGV[1] then
  redis.call('del', KEYS[1])
end
return 1
