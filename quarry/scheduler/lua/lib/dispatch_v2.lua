-- Fragment: hands out leases while there are fewer than `parallel`, lowest depth first; at most 500 a call,
-- what is left is handed out by the next step, if only by `expire`.
-- include: counters.lua
-- include: jobs.lua
-- include: envelope_v2.lua
local HAND_OUTS = 500

local function dispatch(now)
  if head.status ~= 'seeding' and head.status ~= 'open' then return end
  local free = math.min(head.parallel - current('leased'), HAND_OUTS)
  while free > 0 do
    local first = redis.call('ZPOPMIN', PENDING)[1]
    if not first then return end
    local job = load_job(first)
    job.s, job.t = 'l', nil
    save_job(first, job)
    redis.call('ZADD', UNCLAIMED, now, first)
    count('pending', -1)
    count('leased', 1)
    publish(first, now)
    free = free - 1
  end
end
