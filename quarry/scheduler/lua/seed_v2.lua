-- seed_v2: receives a batch of roots under the `seeding` hold; the first batch creates the crawl.
--
-- KEYS  1-11 as lib/keys.lua; 12 unused (the crawl's id); 13… one bucket a job
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix,
--       4 seeder, 5 offset before, 6 offset after (seed lines), 7 '1' if this is the last batch,
--       8 lines that the caller knows to repeat earlier ones, 9 number of jobs,
--       10 depth, 11 max_runs (-1: no bound), 12 parallel, 13 max_attempts, 14 max_redeliveries,
--       15 lease_ms, 16 claim_ms, 17 grace_ms, 18 config (opaque),
--       19… five a job: key, field, first attempt, payload (opaque), message fragment (opaque)
-- Returns  {'ok'|'repeat'|'exists'|'stopped'|'offset', offset, admitted, unread, capped 0/1, idle 0/1}
--          {'missing'} where a later batch finds no crawl; {'newer'}
-- Complexity  O(batch · log pending)
-- Invariant  received = admitted + duplicate + beyond_depth + over_cap; a line is received or unread once,
--            by its offset; in the batch that meets max_runs what follows is unread
-- include: lib/keys.lua
-- include: lib/clock.lua
-- include: lib/head.lua
local head = read_head()
if head.refusal == 'newer' then return {'newer'} end
-- include: lib/admission.lua
-- include: lib/dispatch_v2.lua
local seeder, from, upto, final = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1'
local repeats, size, first_job = tonumber(ARGV[8]), tonumber(ARGV[9]), 19
local now = now_ms()

-- What this batch did: for one that is refused, nothing.
local function answer(status, admitted, unread)
  local said = redis.call('HMGET', META, 'offset', 'capped')
  return {status, tonumber(said[1]), admitted or 0, unread or 0, tonumber(said[2]), flag(idle())}
end

if head.refusal then
  if from > 0 then return {'missing'} end
  redis.call('HSET', META, 'schema', SCHEMA, 'status', 'seeding', 'seeder', seeder, 'created_ms', now,
    'offset', 0, 'last_admitted', 0, 'last_unread', 0, 'capped', 0, 'queue', QUEUE, 'config', ARGV[18],
    'depth', ARGV[10], 'max_runs', ARGV[11], 'parallel', ARGV[12], 'max_attempts', ARGV[13],
    'max_redeliveries', ARGV[14], 'lease_ms', ARGV[15], 'claim_ms', ARGV[16], 'grace_ms', ARGV[17])
  redis.call('HSET', COUNTERS, 'seeds', 0, 'received', 0, 'admitted', 0, 'duplicate', 0, 'beyond_depth', 0,
    'over_cap', 0, 'replayed', 0, 'pending', 0, 'leased', 0, 'committing', 0, 'succeeded', 0, 'failed', 0,
    'not_executed', 0, 'unread', 0, 'redeliveries', 0, 'max_depth_seen', 0, 'seeding', 1)
  head = read_head()
else
  if from == 0 and redis.call('HGET', META, 'seeder') ~= seeder then return answer('exists') end
  local offset = tonumber(redis.call('HGET', META, 'offset'))
  if upto <= offset and (from < offset or current('seeding') == 0) then
    local last = redis.call('HMGET', META, 'last_admitted', 'last_unread')
    return answer('repeat', tonumber(last[1]), tonumber(last[2]))
  end
  if from ~= offset then return answer('offset') end
  if current('seeding') == 0 then
    if redis.call('HGET', META, 'capped') == '1' then return answer('ok') end
    if head.status == 'open' then return answer('offset') end
    if head.status == 'closed' then return answer('stopped') end
    count('unread', repeats + size)
    redis.call('HSET', META, 'offset', upto, 'last_admitted', 0, 'last_unread', repeats + size)
    flush()
    return answer('stopped', 0, repeats + size)
  end
end

local function capped() return head.max_runs >= 0 and current('admitted') >= head.max_runs end

local admitted_before, unread = current('admitted'), 0
if capped() then
  unread = repeats + size
else
  count('seeds', repeats)
  count('received', repeats)
  count('duplicate', repeats)
  for n = 1, size do
    if capped() then
      unread = size - n + 1
      break
    end
    count('seeds', 1)
    receive(first_job, n, 0)
  end
end
count('unread', unread)
local met, admitted = capped(), current('admitted') - admitted_before
if final or met then
  count('seeding', -1)
  redis.call('HSET', META, 'status', 'open')
end
redis.call('HSET', META, 'offset', upto, 'last_admitted', admitted, 'last_unread', unread,
  'capped', flag(met))
dispatch(now)
flush()
return answer('ok', admitted, unread)
