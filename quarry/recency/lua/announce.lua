-- announce: note that a definition of a pool is in use, and forget those that are not any more.
--
-- KEYS  1 hash 'NAME DIGEST' -> 'LAST_MS SIZE STRATEGY'
-- ARGV  1 clock override (ms or ''), 2 keep (ms), 3 'NAME DIGEST' or '' to look only, 4 size, 5 strategy
-- Returns  {field, value, ...}
-- Complexity  O(definitions)
local time = redis.call('TIME')
local now = ARGV[1] ~= '' and tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local keep_ms = tonumber(ARGV[2])
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[3], string.format('%.0f %s %s', now, ARGV[4], ARGV[5]))
  redis.call('PEXPIRE', KEYS[1], keep_ms)
end
local found, known = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #known, 2 do
  if tonumber(string.match(known[i + 1], '^%d+')) > now - keep_ms then
    found[#found + 1] = known[i]
    found[#found + 1] = known[i + 1]
  elseif ARGV[3] ~= '' then
    redis.call('HDEL', KEYS[1], known[i])
  end
end
return found
