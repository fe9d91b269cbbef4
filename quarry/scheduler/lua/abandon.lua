-- abandon: every lease lapses now, because whoever could hold one is known to be dead. The next `expire` delivers
-- all of them again. For an engine whose only worker died: nobody waits out a lease that nobody can renew.
--
-- KEYS  1-11 as lib/keys.lua
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix
-- Returns  {'ok', leases lapsed}; {'missing'}; {'newer'}
-- Complexity  O(leases · log leases)
-- Invariant  states and counters stay as they are; a delivery that lives after all is refused by its TOKEN
-- include: lib/keys.lua
-- include: lib/present.lua
local lapsed = 0
for _, zset in ipairs({LEASES, UNCLAIMED}) do
  for _, key in ipairs(redis.call('ZRANGE', zset, 0, -1)) do
    redis.call('ZADD', zset, 0, key)
    lapsed = lapsed + 1
  end
end
return {'ok', lapsed}
