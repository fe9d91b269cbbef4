-- retire: lets buckets of seen keys of a closed crawl expire with it.
--
-- KEYS  1-11 as lib/keys.lua; 12 unused (the crawl's id); 13… buckets
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 time to live from now on (ms)
-- Returns  {'ok'}; {'open'} the crawl is not closed; {'missing'}; {'newer'}
-- Complexity  O(buckets)
-- Invariant  nothing expires before the close
-- include: lib/keys.lua
-- include: lib/present.lua
if head.status ~= 'closed' then return {'open'} end
for n = FIRST_BUCKET + 1, #KEYS do redis.call('PEXPIRE', KEYS[n], ARGV[4]) end
return {'ok'}
