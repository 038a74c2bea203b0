-- What was counted and is not taken in yet: a list of the id under which it is taken in, and of
-- each label itself, how many fields it has, and those with their numbers. It stays until it is
-- dropped, and is the same until then.
-- KEYS: the list; the labels that have counts; of whom counts wait.
-- ARGV: whose, the id, how many labels at most, and the time.
if redis.call('exists', KEYS[1]) == 0 then
  local labels = redis.call('spop', KEYS[2], ARGV[3])
  if #labels == 0 then
    redis.call('zrem', KEYS[3], ARGV[1])
    return {}
  end
  redis.call('rpush', KEYS[1], ARGV[2])
  for _, label in ipairs(labels) do
    local key = '{backplane}:counts:' .. ARGV[1] .. ':' .. label
    local counts = redis.call('hgetall', key)
    redis.call('rpush', KEYS[1], label, #counts / 2, unpack(counts))
    redis.call('del', key)
  end
  redis.call('zadd', KEYS[3], ARGV[4], ARGV[1]) -- The next ones add up for a while first.
end
return redis.call('lrange', KEYS[1], 0, -1)
