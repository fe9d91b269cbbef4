-- What every step of a pool shares: its keys, the clock, an endpoint's entry.
--
-- META       seq (choices so far), next (position that the order `next` looks at first)
-- OUT        zset, score and member are the position: endpoints that rest or are within the recency window
-- LRU        zset by number of the last choice: endpoints that don't rest; only of pools with a window
-- RESTS      zset by the ms at which a rest, or the wait for a trial, ends
-- ENDPOINTS  hash by position: see load()
-- BANS       hash 'POSITION DOMAIN': 'UNTIL_MS LEVEL'; BAN_ENDS  zset of the same by the ms at which it is forgotten
local META, OUT, LRU, RESTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ENDPOINTS, BANS, BAN_ENDS = KEYS[5], KEYS[6], KEYS[7]
local HEALTHY, RESTING, DUE, TRIAL = 0, 1, 2, 3
local DICE = 4294967296

local function read_clock()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local now, keep_ms = read_clock(), tonumber(ARGV[2])

-- Numbers above `seq` are from before a loss of META: nothing that is compared with them would ever come true.
local function load(at, seq)
  local text = redis.call('HGET', ENDPOINTS, at)
  if not text then
    return {chosen = 0, last = 0, last_ms = 0, ok = 0, failed = 0, latency = 0, state = HEALTHY, rests = 0,
      trial = 0, failures = {}}
  end
  local e = cjson.decode(text)
  local failures = {}
  for i = 10, #e do failures[#failures + 1] = e[i] end
  if e[2] > seq then e[2] = 0 end
  if e[9] > seq then e[9] = 0 end
  return {chosen = e[1], last = e[2], last_ms = e[3], ok = e[4], failed = e[5], latency = e[6], state = e[7],
    rests = e[8], trial = e[9], failures = failures}
end

local function save(at, e)
  local packed = {e.chosen, e.last, e.last_ms, e.ok, e.failed, e.latency, e.state, e.rests, e.trial}
  for _, failure in ipairs(e.failures) do packed[#packed + 1] = failure end
  redis.call('HSET', ENDPOINTS, at, cjson.encode(packed))
end

local function keep(...)
  for _, key in ipairs({...}) do redis.call('PEXPIRE', key, keep_ms) end
end

-- Takes an endpoint out of RESTS. Within the window it stays in OUT and leaves it when its number falls out.
local function come_back(at, e, window, seq)
  redis.call('ZREM', RESTS, at)
  if window > 0 and e.last > 0 then redis.call('ZADD', LRU, e.last, at) end
  if window == 0 or e.last == 0 or e.last <= seq - window then redis.call('ZREM', OUT, at) end
end

local function heal(e)
  e.state, e.rests, e.trial = HEALTHY, 0, 0
end
