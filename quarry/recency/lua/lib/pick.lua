-- Finding an endpoint among those that are not in OUT, in O(log n) steps of O(log n).
--
-- From `choose`: size, order, window, domain, excluded (a set of positions), dice, following, health_on, turn, out.
local TRIES, STEPS, LEAST_BAD = 8, 256, 16

-- The k-th position, from 0, that is not in OUT. The j-th member of OUT, e, has e - j free ones before it: a
-- search for how many members lie before the wanted one. Members mostly lie evenly: a guess by proportion is
-- close, and each second guess by halves bounds the search where they don't.
local function nth_free(k)
  local low, high, below, above, halve = 0, out, 0, size - out, false
  while low < high do
    local share = halve and 0.5 or (k - below + 0.5) / (above - below + 1)
    local middle = math.max(low, math.min(high - 1, low + math.floor((high - low) * share)))
    local free = tonumber(redis.call('ZRANGE', OUT, middle, middle)[1]) - middle
    if free <= k then low, below = middle + 1, free else high, above = middle, free end
    halve = not halve
  end
  return k + low
end

local function is_banned(at)
  if not domain or not health_on then return false end
  local ban = redis.call('HGET', BANS, at .. ' ' .. domain)
  return ban and tonumber(string.match(ban, '^%d+')) > now
end

-- `pardon`: 0 nothing, 1 what this run has given up, 2 what rests for the domain too.
local function is_usable(at, pardon)
  return (pardon >= 1 or not excluded[at]) and (pardon >= 2 or not is_banned(at))
end

local function throw(count)
  local thrown = math.floor(dice * count / DICE)
  dice = (dice * 1664525 + 1013904223) % DICE
  return thrown
end

-- Whose turn it is in the order `next`; what is free does not change within a choice.
local function find_turn()
  if out == size then return nil end
  local before = out == 0 and 0 or redis.call('ZCOUNT', OUT, '-inf', '(' .. following)
  return nth_free((following - before) % (size - out))
end

-- The turn of one that is not usable for this run goes to any other, so that no neighbour gets it each time.
local function seek_free(pardon)
  local free = size - out
  if free == 0 then return nil end
  if turn and is_usable(turn, pardon) then return turn end
  local first
  for _ = 1, TRIES do
    first = throw(free)
    local at = nth_free(first)
    if is_usable(at, pardon) then return at end
  end
  for step = 1, math.min(free, STEPS) - 1 do
    local at = nth_free((first + step) % free)
    if is_usable(at, pardon) then return at end
  end
end

local function seek_least_recent(pardon)
  if window == 0 then return nil end
  for _, member in ipairs(redis.call('ZRANGE', LRU, 0, STEPS - 1)) do
    if is_usable(tonumber(member), pardon) then return tonumber(member) end
  end
end

-- One of those whose rests end first, by chance: a pool that rests as a whole must not fall upon one of them.
local function seek_resting()
  local found, usable = redis.call('ZRANGE', RESTS, 0, LEAST_BAD - 1), {}
  for _, member in ipairs(found) do
    if is_usable(tonumber(member), 0) then usable[#usable + 1] = member end
  end
  if #usable == 0 then usable = found end
  return tonumber(usable[throw(#usable) + 1] or 0)
end

local function pick()
  for pardon = 0, 2 do
    local said = pardon == 1 and 'given_up' or pardon == 2 and 'banned'
    local at = seek_free(pardon)
    if at then return at, said or 'free' end
    at = seek_least_recent(pardon)
    if at then return at, said or 'least_recent' end
  end
  return seek_resting(), 'resting'
end
