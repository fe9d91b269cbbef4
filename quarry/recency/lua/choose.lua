-- choose: exclude, pick and mark one endpoint of a pool.
--
-- KEYS  1-7 as lib/pool.lua, 8 the sticky key, where there is one (a pool's keys expire together)
-- ARGV  1 clock override (ms or ''), 2 keep (ms), 3 size of the pool, 4 order 'next' or 'random',
--       5 recency window (choices), 6 sticky TTL (ms), 7 trial (ms), 8 domain or '', 9 dice (0 to 2^32 - 1),
--       10... positions that the run has given up
-- Returns  {position, number, reason, trial 0/1}
-- Complexity  O(log^2 n); at most 264 candidates that rest for the domain or are given up are looked at
-- Invariant  numbers are given without gap; while fewer than all rest or are banned, no endpoint is handed out
--            that was one of the last `window` choices, unless all usable ones were
-- include: lib/pool.lua
local size, order, window = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local sticky_ttl, trial_ms, dice = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[9])
local domain = ARGV[8] ~= '' and ARGV[8] or nil
local excluded = {}
for i = 10, #ARGV do excluded[tonumber(ARGV[i])] = true end
local STICKY = KEYS[8]
local meta = redis.call('HMGET', META, 'seq', 'next')
local seq, following = tonumber(meta[1] or 0), tonumber(meta[2] or 0)
-- include: lib/pick.lua

for _, member in ipairs(redis.call('ZRANGEBYSCORE', RESTS, '-inf', now, 'LIMIT', 0, 16)) do
  local e = load(member)
  e.state = DUE
  save(member, e)
  come_back(member, e, window, seq)
end
if window > 0 and seq > window then
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', LRU, seq - window, seq - window)) do
    redis.call('ZREM', OUT, member)
  end
end

local at, reason
if STICKY then
  local kept, until_ms = string.match(redis.call('GET', STICKY) or '', '^(%d+) (%d+)$')
  if kept and tonumber(until_ms) > now then at = tonumber(kept) end
  if at and (redis.call('ZSCORE', RESTS, at) or not is_usable(at, 0)) then at = nil end
  reason = 'sticky'
end
if not at then
  at, reason = pick()
  if order == 'next' then following = (at + 1) % size end
end

seq = seq + 1
redis.call('HSET', META, 'seq', seq, 'next', following)
local e = load(at)
e.chosen, e.last, e.last_ms = e.chosen + 1, seq, now
local trial = e.state == DUE
if trial then
  e.state, e.trial = TRIAL, seq
  redis.call('ZADD', RESTS, now + trial_ms, at)
  redis.call('ZADD', OUT, at, at)
  redis.call('ZREM', LRU, at)
  keep(RESTS, OUT)
elseif window > 0 and e.state == HEALTHY then
  redis.call('ZADD', LRU, seq, at)
  redis.call('ZADD', OUT, at, at)
  if redis.call('ZCARD', LRU) == 1 then keep(LRU, OUT) end
end
save(at, e)
-- Seven days need not be counted from the very last choice: most choices spare themselves the commands.
if seq % 64 == 1 then keep(META, OUT, LRU, RESTS, ENDPOINTS) end
if STICKY then
  redis.call('SET', STICKY, string.format('%d %.0f', at, now + sticky_ttl), 'PX', sticky_ttl + 1000)
end
return {at, seq, reason, trial and 1 or 0}
