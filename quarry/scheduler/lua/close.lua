-- close: the crawl is complete: no work is left, and nothing changed since its records were compared.
--
-- KEYS  1-11 as lib/keys.lua
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 holder, 5 revision that begin_close gave,
--       6 time to live from now on (ms)
-- Returns  {'ok'|'already'|'changed'|'not_idle'}; {'missing'}; {'newer'}
-- Complexity  O(1)
-- Invariant  keys expire only after the close; a closed crawl stays closed
-- include: lib/keys.lua
-- include: lib/clock.lua
-- include: lib/present.lua
-- include: lib/counters.lua
if head.status == 'closed' then return {'already'} end
if not idle() then return {'not_idle'} end
local stands = redis.call('HMGET', META, 'revision', 'close_holder')
if stands[2] ~= ARGV[4] or tonumber(stands[1] or '0') ~= tonumber(ARGV[5]) then return {'changed'} end
redis.call('HSET', META, 'status', 'closed', 'closed_ms', now_ms())
for n = 1, 10 do redis.call('PEXPIRE', KEYS[n], ARGV[6]) end
return {'ok'}
