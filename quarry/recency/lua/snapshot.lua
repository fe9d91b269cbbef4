-- snapshot: everything that is known of a pool, at one moment; marks nothing.
--
-- KEYS  1-7 as lib/pool.lua, 8... sticky keys
-- ARGV  1 clock override (ms or ''), 2 keep (ms), not used
-- Returns  {now ms, choices, next, {position, entry, ...}, {position, ms until, ...}, {field, ban, ...},
--          {'POSITION UNTIL_MS' or nil of each sticky key}}; numbers of ms as text
-- Complexity  O(n): for people who look, not for runs
-- include: lib/pool.lua
local sticky = {}
for i = 8, #KEYS do sticky[i - 7] = redis.call('GET', KEYS[i]) end
return {
  string.format('%.0f', now), tonumber(redis.call('HGET', META, 'seq') or 0),
  tonumber(redis.call('HGET', META, 'next') or 0), redis.call('HGETALL', ENDPOINTS),
  redis.call('ZRANGE', RESTS, 0, -1, 'WITHSCORES'), redis.call('HGETALL', BANS), sticky,
}
