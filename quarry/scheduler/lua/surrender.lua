-- surrender: a delivery that will not end gives its lease back: the next `expire` delivers the run again, nobody waits
-- for the lease to lapse. For a worker that shuts down; with an empty TOKEN, for one that got the message of a lease
-- and can't claim it (its storage is not there): the next `expire` publishes it again.
--
-- KEYS  1-11 as lib/keys.lua
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 key, 5 TOKEN or ''
-- Returns  {'ok'}; {'lost'} the lease is not held; {'missing'}; {'newer'}
-- Complexity  O(log leases)
-- Invariant  states and counters stay as they are; only the delivery whose TOKEN the ledger names can do it
-- include: lib/keys.lua
-- include: lib/present.lua
-- include: lib/jobs.lua
local key, token = ARGV[4], ARGV[5]
if token == '' then
  redis.call('ZADD', UNCLAIMED, 'XX', 0, key)
  return {'ok'}
end
if not holds(load_job(key), token) then return {'lost'} end
redis.call('ZADD', LEASES, 'XX', 0, key)
return {'ok'}
