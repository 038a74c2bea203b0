-- The states of keys, in their order.
-- KEYS: of each its name.
local states = {}
for i, key in ipairs(KEYS) do
  states[i] = redis.call('get', key)
end
return states
