-- Fragment: hands out leases while there are fewer than `parallel`, lowest depth first; at most 500 a call,
-- what is left is handed out by the next step, if only by `expire`.
-- include: counters.lua
-- include: jobs.lua
-- include: envelope_v2.lua
local HAND_OUTS = 500

-- The most leases that there ever were at once, for those who check `parallel`.
local function note_peak()
  local leased = current('leased')
  if leased > tonumber(redis.call('HGET', META, 'peak_leased') or '0') then
    redis.call('HSET', META, 'peak_leased', leased)
  end
end

local function dispatch(now)
  local handed_out = false
  if head.status ~= 'seeding' and head.status ~= 'open' then return end
  local free = math.min(head.parallel - current('leased'), HAND_OUTS)
  while free > 0 do
    local first = redis.call('ZPOPMIN', PENDING)[1]
    if not first then break end
    local job = load_job(first)
    job.s, job.t = 'l', nil
    save_job(first, job)
    redis.call('ZADD', UNCLAIMED, now, first)
    count('pending', -1)
    count('leased', 1)
    publish(first, now)
    free = free - 1
    handed_out = true
  end
  if handed_out then note_peak() end
end
