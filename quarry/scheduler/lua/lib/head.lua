-- Fragment: the crawl's head: its status and bounds, read once. A bound of -1 is no bound.
local SCHEMA = 1

local function read_head()
  local read = redis.call('HMGET', META, 'schema', 'status', 'depth', 'max_runs', 'parallel',
    'max_attempts', 'max_redeliveries', 'lease_ms', 'claim_ms', 'grace_ms')
  if not read[1] then return {refusal = 'missing'} end
  if tonumber(read[1]) > SCHEMA then return {refusal = 'newer'} end
  return {
    status = read[2], depth = tonumber(read[3]), max_runs = tonumber(read[4]),
    parallel = tonumber(read[5]), max_attempts = tonumber(read[6]),
    max_redeliveries = tonumber(read[7]), lease_ms = tonumber(read[8]),
    claim_ms = tonumber(read[9]), grace_ms = tonumber(read[10]),
  }
end
