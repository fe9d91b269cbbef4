-- script: which version of a script this crawl executes: the first one that anybody recorded.
--
-- KEYS  1-11 as lib/keys.lua
-- ARGV  1 clock override (ms or ''), 2 crawl, 3 message id prefix, 4 target, 5 SHA-256 of its file, hex
-- Returns  {'ok', SHA-256 recorded}; {'missing'}; {'newer'}
-- Complexity  O(1)
-- Invariant  what was recorded first stands
-- include: lib/keys.lua
-- include: lib/present.lua
local field = 'script:' .. ARGV[4]
redis.call('HSETNX', META, field, ARGV[5])
return {'ok', redis.call('HGET', META, field)}
