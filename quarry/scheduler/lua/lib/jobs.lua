-- Fragment: a job's state while it is neither ended nor forgotten, one small JSON map a job:
--   s  p pending, l leased, c committing; u, x: being settled from its record, not yet counted so (the ledger
--      does not know the job, or holds it as not executed)
--   d  depth             a  attempt            f  first attempt       v  deliveries claimed of this attempt
--   t  TOKEN of the delivery that holds, or last held, the lease (absent: not claimed yet)
--   p  position: enqueue events counted so far  q  TOKEN that the position belongs to
--   k  enqueue events kept for each retried attempt                    r  TOKEN whose retry was granted last
--   o  1: it must end through a record, which somebody owes
-- include: keys.lua

local function load_job(key)
  local text = redis.call('HGET', STATES, key)
  return text and cjson.decode(text) or nil
end

local function save_job(key, job) redis.call('HSET', STATES, key, cjson.encode(job)) end

local function forget_job(key)
  redis.call('HDEL', STATES, key)
  redis.call('HDEL', PAYLOADS, key)
  redis.call('HDEL', MESSAGES, key)
end

local GAUGES = {p = 'pending', l = 'leased', c = 'committing', x = 'not_executed'}

local function executing(job) return job.s == 'l' or job.s == 'c' end

-- A delivery holds the lease while the ledger names its TOKEN and nobody was told to end the job.
local function holds(job, token)
  return job and executing(job) and job.t == token and not job.o
end

local function owe(key, job, due_ms)
  job.o = 1
  save_job(key, job)
  redis.call('ZADD', OWED, due_ms, key)
end
