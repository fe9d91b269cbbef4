-- choose: exclude, pick and mark one endpoint of a pool.
--
-- KEYS  1-7 as lib/pool.lua, 8 the sticky key, where there is one (a pool's keys expire together)
-- ARGV  1 clock override (ms or ''), 2 keep (ms), 3 domain or '', 4 'SIZE WINDOW STICKY_TTL_MS TRIAL_MS DICE ORDER': size
--       of the pool, recency window (choices), TTL, trial (0 where health is off: nothing rests then), dice
--       (0 to 2^32 - 1), order 'next' or 'random'; one argument, as each costs the client as much as a command here
--       5... positions that the run has given up
-- Returns  'POSITION NUMBER REASON TRIAL': one text, which a client reads quicker than a list; TRIAL 0/1
-- Complexity  O(log^2 n); at most 264 candidates that rest for the domain or are given up are looked at
-- Invariant  numbers are given without gap; while fewer than all rest or are banned, no endpoint is handed out
--            that was one of the last `window` choices, unless all usable ones were
-- include: lib/pool.lua
local size, window, sticky_ttl, trial_ms, dice, order =
  string.match(ARGV[4], '^(%d+) (%d+) (%d+) (%d+) (%d+) (%a+)$')
size, window, sticky_ttl = tonumber(size), tonumber(window), tonumber(sticky_ttl)
trial_ms, dice = tonumber(trial_ms), tonumber(dice)
local domain = ARGV[3] ~= '' and ARGV[3] or nil
local excluded = {}
for i = 5, #ARGV do excluded[tonumber(ARGV[i])] = true end
local STICKY = KEYS[8]
local health_on, turn = trial_ms > 0, nil
local meta = redis.call('HMGET', META, 'seq', 'next', 'kept_ms')
local seq, following, kept_ms = tonumber(meta[1] or 0), tonumber(meta[2] or 0), tonumber(meta[3] or 0)
local out -- members of OUT; does not change while one is sought
-- include: lib/pick.lua

if seq == 0 then redis.call('DEL', LRU) end
local resting = redis.call('ZCARD', RESTS)
if resting > 0 then
  local over = health_on and now or '+inf'
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', RESTS, '-inf', over, 'LIMIT', 0, 16)) do
    local e = load(member, seq)
    e.state, resting = DUE, resting - 1
    save(member, e)
    come_back(member, e, window, seq)
  end
end
if window > 0 and seq > window then
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', LRU, seq - window, seq - window)) do
    redis.call('ZREM', OUT, member)
  end
end

-- OUT is what rests and what is within the window. Where it is not, Redis has lost some of the keys, and who is
-- left out by what is gone would be left out for ever. Looked at now and then: it costs a command.
local recent = '(' .. seq - window
out = redis.call('ZCARD', OUT)
local within = 0
if window > 0 then within = seq % 16 == 0 and redis.call('ZCOUNT', LRU, recent, '+inf') or out - resting end
if out ~= resting + within then
  redis.call('DEL', OUT)
  for _, member in ipairs(redis.call('ZRANGE', RESTS, 0, -1)) do redis.call('ZADD', OUT, member, member) end
  if window > 0 then
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', LRU, recent, '+inf')) do
      redis.call('ZADD', OUT, member, member)
    end
  end
  out = redis.call('ZCARD', OUT)
end

local at, reason
if STICKY then
  local kept, until_ms = string.match(redis.call('GET', STICKY) or '', '^(%d+) (%d+)$')
  if kept and tonumber(until_ms) > now then at = tonumber(kept) end
  if at and (redis.call('ZSCORE', RESTS, at) or not is_usable(at, 0)) then at = nil end
  reason = 'sticky'
end
if not at then
  if order == 'next' then turn = find_turn() end
  at, reason = pick()
  if turn then following = (turn + 1) % size end
end

local e = load(at, seq)
seq = seq + 1
-- Once a day is enough, and spares most choices five commands.
local renew = now - kept_ms > 86400000
redis.call('HSET', META, 'seq', seq, 'next', following, 'kept_ms', string.format('%.0f', renew and now or kept_ms))
e.chosen, e.last, e.last_ms = e.chosen + 1, seq, now
if not health_on then heal(e) end
-- One that rests is left out: picked all the same, its rest was lost, and this is its trial.
local trial = e.state == DUE or (e.state ~= HEALTHY and reason ~= 'resting')
if trial then
  e.state = TRIAL
  if e.trial == 0 then e.trial = seq end
  redis.call('ZADD', RESTS, now + trial_ms, at)
  redis.call('ZADD', OUT, at, at)
  redis.call('ZREM', LRU, at)
  keep(RESTS, OUT)
elseif window > 0 and e.state == HEALTHY then
  redis.call('ZADD', LRU, seq, at)
  redis.call('ZADD', OUT, at, at)
  if within == 0 then keep(LRU, OUT) end
end
save(at, e)
if renew then keep(META, OUT, LRU, RESTS, ENDPOINTS) end
if STICKY then
  redis.call('SET', STICKY, string.format('%d %.0f', at, now + sticky_ttl), 'PX', sticky_ttl + 1000)
end
return string.format('%d %.0f %s %d', at, seq, reason, trial and 1 or 0)
