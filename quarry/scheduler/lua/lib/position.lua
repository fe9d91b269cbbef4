-- Fragment: the position: how many enqueue events of one delivery were counted. What another delivery of the
-- job had counted before is said again by this one, and so was `replayed`.
-- include: admission.lua

local function take_position(job, token)
  if job.q == token then return end
  count('replayed', job.p)
  job.p, job.q = 0, token
end

-- Counts a batch that starts at `start`, and behind it events that the policy dropped (they were received, and
-- are duplicates of what was admitted before the policy saw them). What lies below the position is skipped,
-- what lies at or above `limit` is not taken. False, and nothing is done, where the batch leaves a gap.
local function advance(job, start, first, size, dropped, limit)
  if start > job.p then return false end
  for n = job.p - start + 1, size do
    if job.p >= limit then break end
    receive(first, n, job.d + 1)
    job.p = job.p + 1
  end
  local unsaid = math.min(start + size + dropped, limit) - job.p
  if dropped > 0 and unsaid > 0 then
    count('received', unsaid)
    count('duplicate', unsaid)
    job.p = job.p + unsaid
  end
  return true
end

-- What the delivery counted beyond the n of its record is in nobody's data: it was said, and ended unsaid.
local function trim_position(job, n)
  if job.p > n then
    count('replayed', job.p - n)
    job.p = n
  end
end
