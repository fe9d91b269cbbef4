-- Fragment: the counters. Each has its own increment; a step adds its changes up and writes them once.
-- include: keys.lua
local changes, before = {}, {}

local function count(name, by) changes[name] = (changes[name] or 0) + by end

local function current(name)
  if not before[name] then before[name] = tonumber(redis.call('HGET', COUNTERS, name) or '0') end
  return before[name] + (changes[name] or 0)
end

local function note_depth(depth)
  local deepest = current('max_depth_seen')
  if depth > deepest then count('max_depth_seen', depth - deepest) end
end

-- Writes the counters and moves the revision, by which `close` sees that nothing changed meanwhile.
local function flush()
  for name, by in pairs(changes) do
    if by ~= 0 then redis.call('HINCRBY', COUNTERS, name, by) end
  end
  changes, before = {}, {}
  redis.call('HINCRBY', META, 'revision', 1)
end

-- Complete means that pending, leased, committing and seeding are zero; never an idle timer.
local function idle()
  return current('pending') == 0 and current('leased') == 0 and current('committing') == 0
    and current('seeding') == 0
end

local function flag(value) return value and 1 or 0 end
