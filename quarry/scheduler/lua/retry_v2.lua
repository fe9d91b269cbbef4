-- retry_v2: a failed attempt whose record was put asks for another one.
--
-- KEYS  1-11 as lib/keys.lua; 12 unused (the job); 13… one bucket a job
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 key, 5 TOKEN that holds the lease,
--       6 TOKEN of the attempt's record, 7 n of that record, 8 position of the batch,
--       9 enqueue events behind the batch that the policy dropped, 10 number of jobs,
--       11… five a job: key, field, first attempt, payload, message fragment
-- Returns  {'ok', n} the next attempt is pending; {'more', position} events from there are missing;
--          {'final', n} attempts are spent or the crawl is stopped; {'lost'} the lease is not held;
--          {'missing'}; {'newer'}
-- Complexity  O(batch · log pending)
-- Invariant  n is kept with the attempt, so that received - replayed counts its events once
-- include: lib/keys.lua
-- include: lib/clock.lua
-- include: lib/present.lua
-- include: lib/position.lua
-- include: lib/dispatch_v2.lua
local key, token, record_token, n = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
local job = load_job(key)
if job and job.r == token then return {'ok', n} end
if not holds(job, token) then return {'lost'} end
take_position(job, record_token)
advance(job, tonumber(ARGV[8]), 11, tonumber(ARGV[10]), tonumber(ARGV[9]), n)
local status = 'more'
if job.p >= n then
  trim_position(job, n)
  status = 'final'
  if job.a - job.f + 1 < head.max_attempts and head.status ~= 'stopped' then
    status = 'ok'
    count(GAUGES[job.s], -1)
    count('pending', 1)
    redis.call('ZREM', LEASES, key)
    job.k = job.k or {}
    job.k[tostring(job.a)] = n
    job.s, job.a, job.v, job.p, job.q, job.t, job.r = 'p', job.a + 1, 0, 0, '', nil, token
    enter_pending(key, job)
  end
end
local position = status == 'more' and job.p or n
save_job(key, job)
dispatch(now_ms())
flush()
return {status, position}
