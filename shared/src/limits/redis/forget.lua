-- Removes what was counted for a tenant.
-- KEYS: of whom counts wait. ARGV: the tenant, with what follows its name.
for _, whose in ipairs(redis.call('zrange', KEYS[1], 0, -1)) do
  if string.sub(whose, 1, #ARGV[1]) == ARGV[1] then
    local labels = '{backplane}:labels:' .. whose
    for _, label in ipairs(redis.call('smembers', labels)) do
      redis.call('del', '{backplane}:counts:' .. whose .. ':' .. label)
    end
    redis.call('del', labels, '{backplane}:taken:' .. whose)
    redis.call('zrem', KEYS[1], whose)
  end
end
return 1
