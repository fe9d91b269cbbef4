-- begin_close: one caller at a time may compare the records with the ledger and then close.
--
-- KEYS  1-11 as lib/keys.lua
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 holder, 5 lease (ms)
-- Returns  {'ok', revision}; {'busy'|'not_idle'|'closed', revision}; {'missing'}; {'newer'}
-- Complexity  O(1)
-- Invariant  the revision is that of a ledger without work; any later change of a job or counter moves it
-- include: lib/keys.lua
-- include: lib/clock.lua
-- include: lib/present.lua
-- include: lib/counters.lua
local holder, now = ARGV[4], now_ms()
local lease = redis.call('HMGET', META, 'revision', 'close_holder', 'close_until_ms')
local revision = tonumber(lease[1] or '0')
if head.status == 'closed' then return {'closed', revision} end
if not idle() then return {'not_idle', revision} end
if lease[2] and lease[2] ~= holder and tonumber(lease[3]) > now then return {'busy', revision} end
redis.call('HSET', META, 'close_holder', holder, 'close_until_ms', now + tonumber(ARGV[5]))
return {'ok', revision}
