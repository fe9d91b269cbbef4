-- totals: how often a definition of a pool was asked, and how many of its endpoints nobody gets now.
--
-- KEYS  1 hash META, 2 zset RESTS of lib/pool.lua
-- ARGV  1 clock override (ms or ''), 2 keep (ms), not used
-- Returns  {choices, endpoints that rest or are on trial}
-- Complexity  O(log n)
local time = redis.call('TIME')
local now = ARGV[1] ~= '' and tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
return {tonumber(redis.call('HGET', KEYS[1], 'seq') or 0), redis.call('ZCOUNT', KEYS[2], '(' .. string.format('%.0f', now), '+inf')}
