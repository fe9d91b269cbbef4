-- claim: a worker takes a lease that was handed out, under a fresh TOKEN.
--
-- KEYS  1-11 as lib/keys.lua
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 key, 5 TOKEN
-- Returns  {'ok', depth, attempt, delivery, last attempt 0/1, stopped 0/1, payload, config}
--          {'busy'} another delivery holds it; {'gone'} there is no such lease; {'missing'}; {'newer'}
-- Complexity  O(log leases)
-- Invariant  one lease has one TOKEN; a repeated call by that TOKEN gets the same answer and changes nothing
-- include: lib/keys.lua
-- include: lib/clock.lua
-- include: lib/present.lua
-- include: lib/counters.lua
-- include: lib/jobs.lua
local key, token = ARGV[4], ARGV[5]
local job = load_job(key)
if not job or not executing(job) or job.o then return {'gone'} end
if job.t and job.t ~= token then return {'busy'} end
if not job.t then
  job.t = token
  job.v = job.v + 1
  save_job(key, job)
  redis.call('ZREM', UNCLAIMED, key)
  redis.call('ZADD', LEASES, now_ms() + head.lease_ms, key)
  flush()
end
return {
  'ok', job.d, job.a, job.v, flag(job.a - job.f + 1 >= head.max_attempts), flag(head.status == 'stopped'),
  redis.call('HGET', PAYLOADS, key), redis.call('HGET', META, 'config'),
}
