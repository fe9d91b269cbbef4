-- Fragment: keys that were admitted, in small hashes (buckets) that stay listpacks: the field is the key
-- without its first byte, the value one character. A key with no state that is only admitted was not executed.
-- include: keys.lua
local ADMITTED, SUCCEEDED, FAILED = '1', '2', '3'

local function seen(bucket, field) return redis.call('HGET', bucket, field) end

local function mark_seen(bucket, field, value, key)
  redis.call('HSET', bucket, field, value)
  -- Which buckets exist is kept in one bitmap of 2 KiB: they expire after the close without a scan.
  redis.call('SETBIT', USED, math.floor(tonumber(string.sub(key, 1, 4), 16) / 4), 1)
end
