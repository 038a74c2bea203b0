-- Writes states and adds up counts: 1, or 0 if a state is not as it was read, and then nothing.
-- KEYS: the mark of this write; of whom counts wait; of each state its name.
-- ARGV: how long the mark is kept, and the time; of each state the version that it had, the version
-- and state that it gets, and for how long; of each count whose it is, label, field and number.
if redis.call('exists', KEYS[1]) == 1 then
  return 1 -- It was done before, and the answer was lost.
end
local states = #KEYS - 2
for i = 1, states do
  local known = redis.call('get', KEYS[i + 2])
  local version = known and string.match(known, '^%d+') or '0'
  if version ~= ARGV[3 * i] then
    return 0 -- Somebody was faster.
  end
end
for i = 1, states do
  redis.call('set', KEYS[i + 2], ARGV[3 * i + 1], 'px', ARGV[3 * i + 2])
end
for i = 3 * states + 3, #ARGV, 4 do
  local whose, label, field, n = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local sum = redis.call('hincrby', '{backplane}:counts:' .. whose .. ':' .. label, field, n)
  if sum == tonumber(n) then -- It may be the first one of its label.
    redis.call('sadd', '{backplane}:labels:' .. whose, label)
    redis.call('zadd', KEYS[2], 'nx', ARGV[2], whose)
  end
end
redis.call('set', KEYS[1], '', 'px', ARGV[1])
return 1
