-- Fragment: pending jobs of a stopped crawl end: those never leased are not executed, the others end through a
-- record that somebody owes. Returns how many of each.
-- include: counters.lua
-- include: jobs.lua

local function end_pending(limit, now)
  local dropped, owed = 0, 0
  while dropped + owed < limit do
    local key = redis.call('ZPOPMIN', PENDING)[1]
    if not key then break end
    local job = load_job(key)
    if job.v == 0 and job.a == job.f then
      count('pending', -1)
      count('not_executed', 1)
      forget_job(key)
      dropped = dropped + 1
    else
      owe(key, job, now)
      owed = owed + 1
    end
  end
  return dropped, owed
end
