-- statuses: says where jobs stand.
--
-- KEYS  1-11 as lib/keys.lua; 12 unused (the crawl's id); 13… one bucket a job
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 number of jobs, 5… two a job: key, field
-- Returns  {'ok', one a job: unknown|pending|leased|committing|succeeded|failed|not_executed}; {'missing'}; {'newer'}
-- Complexity  O(jobs)
-- Invariant  reads only; a job that is being settled, but was not counted so yet, is still what it was
-- include: lib/keys.lua
-- include: lib/present.lua
-- include: lib/jobs.lua
-- include: lib/seen.lua
local answer = {'ok'}
for n = 1, tonumber(ARGV[4]) do
  local key, field = ARGV[3 + 2 * n], ARGV[4 + 2 * n]
  local known, status = seen(KEYS[FIRST_BUCKET + n], field), 'unknown'
  if known == SUCCEEDED then
    status = 'succeeded'
  elseif known == FAILED then
    status = 'failed'
  elseif known then
    local job = load_job(key)
    if not job then
      status = 'not_executed'
    else
      status = GAUGES[job.s] or 'unknown'
    end
  end
  answer[n + 1] = status
end
return answer
