-- announce: says to exactly one caller that it shall tell of the crawl's completion.
--
-- KEYS  1-11 as lib/keys.lua
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 holder
-- Returns  {'ok', 0/1}; {'open'} the crawl is not closed; {'missing'}; {'newer'}
-- Complexity  O(1)
-- Invariant  one holder a crawl; its repeated call gets the same answer
-- include: lib/keys.lua
-- include: lib/present.lua
if head.status ~= 'closed' then return {'open'} end
redis.call('HSETNX', META, 'announced', ARGV[4])
return {'ok', redis.call('HGET', META, 'announced') == ARGV[4] and 1 or 0}
