-- Fragment: one job is received: duplicate, then depth, then cap; only an admitted key becomes seen.
-- include: counters.lua
-- include: jobs.lua
-- include: seen.lua
-- include: pending.lua
local ARGS_PER_JOB = 5

-- The n-th job of a batch whose arguments start at ARGV[first]: key, field, first attempt, payload, message.
local function receive(first, n, depth)
  local at = first + (n - 1) * ARGS_PER_JOB
  local key, field, bucket = ARGV[at], ARGV[at + 1], KEYS[FIRST_BUCKET + n]
  count('received', 1)
  if seen(bucket, field) then
    count('duplicate', 1)
    return
  end
  if head.depth >= 0 and depth > head.depth then
    count('beyond_depth', 1)
    return
  end
  if head.max_runs >= 0 and current('admitted') >= head.max_runs then
    count('over_cap', 1)
    return
  end
  count('admitted', 1)
  note_depth(depth)
  mark_seen(bucket, field, ADMITTED, key)
  if head.status == 'stopped' then
    count('not_executed', 1)
    return
  end
  local attempt = tonumber(ARGV[at + 2])
  local job = {s = 'p', d = depth, a = attempt, f = attempt, v = 0, p = 0, q = ''}
  save_job(key, job)
  redis.call('HSET', PAYLOADS, key, ARGV[at + 3])
  redis.call('HSET', MESSAGES, key, ARGV[at + 4])
  enter_pending(key, job)
  count('pending', 1)
end
