-- touch: one write, for `make_durable`: once it is on disk, everything before it is.
--
-- KEYS  1-11 as lib/keys.lua
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 mark
-- Returns  {'ok', revision}; {'missing'}; {'newer'}
-- Complexity  O(1)
-- Invariant  a crawl that is not there is not created
-- include: lib/keys.lua
-- include: lib/present.lua
redis.call('HSET', META, 'durable_mark', ARGV[4])
return {'ok', tonumber(redis.call('HGET', META, 'revision') or '0')}
