-- beat: renews the leases of a worker process and names those that it holds no more.
--
-- KEYS  1-11 as lib/keys.lua
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 number of leases, 5… two a lease: key, TOKEN
-- Returns  {'ok', lost keys…}; {'missing'}; {'newer'}
-- Complexity  O(leases · log all leases)
-- Invariant  only the delivery whose TOKEN the ledger names is renewed
-- include: lib/keys.lua
-- include: lib/clock.lua
-- include: lib/present.lua
-- include: lib/jobs.lua
local deadline = now_ms() + head.lease_ms
local answer = {'ok'}
for n = 0, tonumber(ARGV[4]) - 1 do
  local key, token = ARGV[5 + 2 * n], ARGV[6 + 2 * n]
  if holds(load_job(key), token) then
    redis.call('ZADD', LEASES, 'XX', deadline, key)
  else
    answer[#answer + 1] = key
  end
end
return answer
