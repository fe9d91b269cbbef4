-- settle_v2: ends a job by the final record that stands, whoever put it.
--
-- KEYS  1-11 as lib/keys.lua; 12 the job's bucket; 13… one bucket a job of the batch
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 key, 5 field of the key in its bucket,
--       6 TOKEN of the record, 7 n of the record, 8 '1' if it succeeded, 9 attempt, 10 depth,
--       11 position of the batch, 12 enqueue events behind the batch that the policy dropped,
--       13 n of the records of all attempts below this one, 14 number of jobs,
--       15… five a job: key, field, first attempt, payload, message fragment
-- Returns  {'ok'|'already', n, idle 0/1}; {'more', position, 0} events from there are missing;
--          {'closed', 0, 1} the crawl was closed without this job; {'missing'}; {'newer'}
-- Complexity  O(batch · log pending)
-- Invariant  a job ends once; at its end received - replayed counts the n of the winning delivery and of the
--            attempts below it, nothing else
-- include: lib/keys.lua
-- include: lib/clock.lua
-- include: lib/present.lua
-- include: lib/position.lua
-- include: lib/dispatch_v2.lua
local key, field, token, n = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
local attempt, depth, bucket = tonumber(ARGV[9]), tonumber(ARGV[10]), KEYS[FIRST_BUCKET]
local known = seen(bucket, field)
if known == SUCCEEDED or known == FAILED then return {'already', n, flag(idle())} end
if head.status == 'closed' then return {'closed', 0, 1} end
local job = load_job(key)
if not job then
  job = {s = known and 'x' or 'u', d = depth, a = attempt, f = attempt, v = 1, p = 0, q = ''}
  -- From now on its own enqueues are duplicates; it is counted as admitted only with the last batch, so that a
  -- settler that dies leaves a job that is still unknown, and that the audit finds.
  if not known then mark_seen(bucket, field, ADMITTED, key) end
end
take_position(job, token)
advance(job, tonumber(ARGV[11]), 15, tonumber(ARGV[14]), tonumber(ARGV[12]), n)
local now = now_ms()
if job.p < n then
  save_job(key, job)
  local position = job.p
  dispatch(now)
  flush()
  return {'more', position, 0}
end
trim_position(job, n)
if job.s == 'u' then
  count('received', 1)
  count('admitted', 1)
  count('replayed', 1)
  note_depth(job.d)
else
  count(GAUGES[job.s], -1)
end
local succeeded = ARGV[8] == '1'
count(succeeded and 'succeeded' or 'failed', 1)
-- An attempt at or above the winner's was not followed by it: what it had said, this record says or nobody.
local below = tonumber(ARGV[13])
for kept, events in pairs(job.k or {}) do
  if tonumber(kept) >= attempt then count('replayed', events) else below = below - events end
end
-- Retries that a Redis that fell back has forgotten: their records prove that their events were received.
if below > 0 then
  count('received', below)
  count('duplicate', below)
end
mark_seen(bucket, field, succeeded and SUCCEEDED or FAILED, key)
redis.call('ZREM', PENDING, key)
redis.call('ZREM', LEASES, key)
redis.call('ZREM', UNCLAIMED, key)
redis.call('ZREM', OWED, key)
forget_job(key)
dispatch(now)
local done = flag(idle())
flush()
return {'ok', n, done}
