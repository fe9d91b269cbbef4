-- report: count what a run found out about an endpoint, and let it rest where it must.
--
-- KEYS  1-7 as lib/pool.lua
-- ARGV  1 clock override (ms or ''), 2 keep (ms), 3 position, 4 number of the choice, 5 requests carried,
--       6 requests failed by its fault, 7 latency (ms, sum), 8 domain that refuses it or '', 9 dice,
--       10 recency window (choices), 11 health on 0/1, 12 failures, 13 their window (ms), 14 first rest (ms),
--       15 longest rest (ms), 16 first ban (ms)
-- Returns  {state 'healthy'|'resting'|'due'|'trial', ms until which it rests or 0, rests in a row,
--          ms until which it rests for the domain or 0, whether a rest began with this report 0/1}
-- Complexity  O(log n)
-- Invariant  the trials since a rest are decided by the first of their reports, however late it is; a rest is never
--            made longer by what was in flight when it began
-- include: lib/pool.lua
local at, number = tonumber(ARGV[3]), tonumber(ARGV[4])
local ok, failed, domain = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[8]
local jitter, window = 0.5 + 0.5 * tonumber(ARGV[9]) / DICE, tonumber(ARGV[10])
local health_on, most, within = ARGV[11] == '1', tonumber(ARGV[12]), tonumber(ARGV[13])
local rest_ms, max_rest_ms, ban_ms = tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16])
local seq = tonumber(redis.call('HGET', META, 'seq') or 0)
local NAMES = {[HEALTHY] = 'healthy', [RESTING] = 'resting', [DUE] = 'due', [TRIAL] = 'trial'}

local function pause(first, longest, level)
  return math.max(1, math.floor(math.min(longest, first * 2 ^ math.min(level, 40)) * jitter))
end

local function rest(e)
  redis.call('ZADD', RESTS, now + pause(rest_ms, max_rest_ms, e.rests), at)
  redis.call('ZADD', OUT, at, at)
  redis.call('ZREM', LRU, at)
  e.state, e.rests, e.trial, e.failures = RESTING, e.rests + 1, 0, {}
end

local function judge(e)
  if e.trial > 0 and number >= e.trial then
    if failed > 0 then
      rest(e)
      return true
    end
    if ok > 0 then heal(e) else e.state = DUE end
    come_back(at, e, window, seq)
  elseif e.state == HEALTHY and failed > 0 then
    local recent = {}
    for _, moment in ipairs(e.failures) do
      if moment > now - within then recent[#recent + 1] = moment end
    end
    for _ = 1, math.min(failed, most) do recent[#recent + 1] = now end
    e.failures = recent
    if #recent >= most then
      rest(e)
      return true
    end
  end
  return false
end

local function ban()
  local field = at .. ' ' .. domain
  local until_ms, level = string.match(redis.call('HGET', BANS, field) or '', '^(%d+) (%d+)$')
  local longest = math.max(ban_ms, max_rest_ms)
  until_ms, level = tonumber(until_ms or 0), tonumber(level or -1)
  if until_ms <= now then
    level = until_ms + longest > now and level + 1 or 0
    until_ms = now + pause(ban_ms, longest, level)
    redis.call('HSET', BANS, field, string.format('%.0f %d', until_ms, level))
    redis.call('ZADD', BAN_ENDS, until_ms + longest, field)
  end
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', BAN_ENDS, '-inf', now, 'LIMIT', 0, 32)) do
    redis.call('HDEL', BANS, old)
    redis.call('ZREM', BAN_ENDS, old)
  end
  keep(BANS, BAN_ENDS)
  return until_ms
end

local e = load(at, seq)
e.ok, e.failed, e.latency = e.ok + ok, e.failed + failed, e.latency + tonumber(ARGV[7])
local began = health_on and judge(e)
if not health_on and e.state ~= HEALTHY then
  heal(e)
  come_back(at, e, window, seq)
end
save(at, e)
local banned_until = health_on and domain ~= '' and ban() or 0
keep(META, OUT, LRU, RESTS, ENDPOINTS)
local resting_until = tonumber(redis.call('ZSCORE', RESTS, at) or 0)
return {NAMES[e.state], resting_until, e.rests, banned_until, began and 1 or 0}
