-- stop_v2: ends the seeding hold and the hand-outs; a chunk of pending jobs ends with each call.
--
-- KEYS  1-11 as lib/keys.lua
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 pending jobs to end in this call,
--       5 why (kept from the first call), 6 '1' to end what executes too: it is owed a record at once
-- Returns  {'ok', not executed by this call, more to do 0/1, idle 0/1}; {'closed', 0, 0, 1}; {'missing'}; {'newer'}
-- Complexity  O(chunk · log pending), with 6: and O(leases · log leases)
-- Invariant  a job never leased is not executed; one that was ever leased ends only through a record
-- include: lib/keys.lua
-- include: lib/clock.lua
-- include: lib/present.lua
-- include: lib/stopping.lua
if head.status == 'closed' then return {'closed', 0, 0, 1} end
local now = now_ms()
if head.status ~= 'stopped' then
  redis.call('HSET', META, 'status', 'stopped', 'stopped_ms', now, 'stop_reason', ARGV[5])
  if current('seeding') > 0 then count('seeding', -1) end
end
if ARGV[6] == '1' then
  redis.call('HSET', META, 'stopped_now', '1')
  for _, zset in ipairs({LEASES, UNCLAIMED}) do
    for _, key in ipairs(redis.call('ZRANGE', zset, 0, -1)) do
      redis.call('ZREM', zset, key)
      owe(key, load_job(key), now)
    end
  end
end
local dropped = end_pending(tonumber(ARGV[4]), now)
local more, done = redis.call('ZCARD', PENDING) > 0, flag(idle())
flush()
return {'ok', dropped, flag(more), done}
