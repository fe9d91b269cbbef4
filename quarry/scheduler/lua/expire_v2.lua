-- expire_v2: looks after what was lost: lapsed leases, messages that nobody will claim, records that are owed.
--
-- KEYS  1-11 as lib/keys.lua
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 limit of each kind
-- Returns  {'ok', republished, requeued, idle 0/1, seven a record owed: key, attempt, deliveries, last TOKEN
--          or '', depth, 'lost'|'stopped', payload}; {'missing'}; {'newer'}
-- Complexity  O(10 · limit · log jobs)
-- Invariant  a job that was ever leased is pending, leased or committing until its record is settled
-- include: lib/keys.lua
-- include: lib/clock.lua
-- include: lib/present.lua
-- include: lib/stopping.lua
-- include: lib/pending.lua
-- include: lib/dispatch_v2.lua
local PAGES = 10
local limit, now = tonumber(ARGV[4]), now_ms()
if head.status == 'closed' then return {'ok', 0, 0, 1} end
local running = head.status ~= 'stopped'
local requeued, republished, changed = 0, 0, false

for _, key in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, limit)) do
  local job = load_job(key)
  redis.call('ZREM', LEASES, key)
  changed = true
  if running and job.v <= head.max_redeliveries then
    count(GAUGES[job.s], -1)
    count('pending', 1)
    count('redeliveries', 1)
    job.s = 'p'
    save_job(key, job)
    enter_pending(key, job)
    requeued = requeued + 1
  else
    owe(key, job, now)
  end
end

-- A stop that died between its chunks is finished here.
if not running then
  local dropped, owed = end_pending(limit, now)
  changed = changed or dropped + owed > 0
end

-- Messages wait in a broker's list oldest last. A lease published before the oldest that is still there was
-- popped and lost; a message without our time tells nothing.
local lost_before = {}
local function stale_before(queue)
  if not lost_before[queue] then
    local oldest, before = redis.call('LINDEX', queue, -1), now
    if oldest then before = tonumber(string.match(oldest, '"quarry_ts":%s*(%d+)') or '0') - 1 end
    lost_before[queue] = math.max(before, now - head.claim_ms)
  end
  return lost_before[queue]
end
-- Lists of several profiles move at their own pace: a full one must not hide what another one lost.
for page = 0, PAGES - 1 do
  local waiting = redis.call('ZRANGEBYSCORE', UNCLAIMED, '-inf', now - math.min(head.grace_ms, head.claim_ms),
    'WITHSCORES', 'LIMIT', page * limit, limit)
  local found = {}
  for n = 1, #waiting, 2 do
    local queue = queue_of(redis.call('HGET', MESSAGES, waiting[n]))
    if tonumber(waiting[n + 1]) <= stale_before(queue) then found[#found + 1] = waiting[n] end
  end
  for _, key in ipairs(found) do
    redis.call('ZADD', UNCLAIMED, now, key)
    publish(key, now)
    republished = republished + 1
  end
  if #found > 0 or #waiting < 2 * limit then break end
end

dispatch(now)
local at_once = redis.call('HGET', META, 'stopped_now') == '1'
local answer = {'ok', republished, requeued, 0}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', OWED, '-inf', now, 'LIMIT', 0, limit)) do
  local job = load_job(key)
  -- Whoever is told may die: another is told after a lease's time. The record is create-only.
  redis.call('ZADD', OWED, now + head.lease_ms, key)
  for _, value in ipairs({key, job.a, job.v, job.t or '', job.d, (job.v == 0 or at_once) and 'stopped' or 'lost',
    redis.call('HGET', PAYLOADS, key)}) do
    answer[#answer + 1] = value
  end
end
answer[4] = flag(idle())
if changed or next(changes) then flush() end
return answer
