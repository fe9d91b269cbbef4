-- admit_v2: a running delivery tells of its next enqueue events; the position makes it repeat-safe.
--
-- KEYS  1-11 as lib/keys.lua; 12 unused (the job); 13… one bucket a job
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 key, 5 TOKEN,
--       6 position of the batch in the delivery's enqueue events, from 0, 7 number of jobs,
--       8… five a job: key, field, first attempt, payload, message fragment
-- Returns  {'ok'|'gap', position}; {'lost'} the lease is not held; {'missing'}; {'newer'}
-- Complexity  O(batch · log pending)
-- Invariant  each event of a delivery is counted once; what lies below the position is skipped; what an
--            earlier delivery of the job counted becomes `replayed` at the first call of the next one
-- include: lib/keys.lua
-- include: lib/clock.lua
-- include: lib/present.lua
-- include: lib/position.lua
-- include: lib/dispatch_v2.lua
local key, token, start, size = ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local job = load_job(key)
if not holds(job, token) then return {'lost'} end
if start > 0 and job.q ~= token then return {'gap', 0} end
if start > job.p and job.q == token then return {'gap', job.p} end
take_position(job, token)
advance(job, start, 8, size, 0, math.huge)
save_job(key, job)
dispatch(now_ms())
flush()
return {'ok', job.p}
