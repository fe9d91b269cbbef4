-- forget: removes what Redis keeps of a crawl whose completion was announced: buckets first, the rest with the last
-- call. Before the announcement its summary may not be written yet, and is made of these counters.
--
-- KEYS  1-11 as lib/keys.lua; 12 unused (the crawl's id); 13… buckets
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 '1' with the last buckets
-- Returns  {'ok'}; {'open'} the crawl is not closed, or not announced; {'missing'}; {'newer'}
-- Complexity  O(buckets)
-- Invariant  an open crawl loses nothing; the head goes last, so that a caller that died is repeated
-- include: lib/keys.lua
-- include: lib/present.lua
if head.status ~= 'closed' or redis.call('HEXISTS', META, 'announced') == 0 then return {'open'} end
for n = FIRST_BUCKET + 1, #KEYS do redis.call('UNLINK', KEYS[n]) end
if ARGV[4] == '1' then
  for n = 10, 1, -1 do redis.call('UNLINK', KEYS[n]) end
end
return {'ok'}
