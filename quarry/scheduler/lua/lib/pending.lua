-- Fragment: the pending jobs, lowest depth first, first come first served within a depth.
-- include: jobs.lua
local DEPTH_WEIGHT, DEEPEST = 4294967296, 1048575

local function enter_pending(key, job)
  local place = redis.call('HINCRBY', META, 'placed', 1)
  local score = math.min(job.d, DEEPEST) * DEPTH_WEIGHT + place
  redis.call('ZADD', PENDING, string.format('%.0f', score), key)
end
