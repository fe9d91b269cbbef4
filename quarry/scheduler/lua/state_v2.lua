-- state_v2: the crawl's head: what it is, how far its seeding and its end are, and Redis' time (now_ms).
--
-- KEYS  1-11 as lib/keys.lua
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix
-- Returns  {'ok', name, value, name, value …}; {'missing'}; {'newer'}
-- Complexity  O(1)
-- Invariant  reads only
-- include: lib/keys.lua
-- include: lib/clock.lua
-- include: lib/present.lua
local answer = redis.call('HGETALL', META)
table.insert(answer, 1, 'ok')
answer[#answer + 1] = 'now_ms'
answer[#answer + 1] = string.format('%.0f', now_ms())
return answer
