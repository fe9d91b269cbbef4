-- Finding an endpoint among those that are not in OUT, in O(log n) steps of O(log n).
--
-- From `choose`: size, order, window, domain, excluded (a set of positions), dice, following.
local TRIES, STEPS = 8, 256

-- The k-th position, from 0, that is not in OUT. The j-th member of OUT, e, has e - j free ones before it: a
-- search by halves for how many members lie before the wanted one.
local function nth_free(k, out)
  local low, high = 0, out
  while low < high do
    local middle = math.floor((low + high) / 2)
    local member = tonumber(redis.call('ZRANGE', OUT, middle, middle)[1])
    if member - middle <= k then low = middle + 1 else high = middle end
  end
  return k + low
end

local function is_banned(at)
  if not domain then return false end
  local ban = redis.call('HGET', BANS, at .. ' ' .. domain)
  return ban and tonumber(string.match(ban, '^%d+')) > now
end

-- `pardon`: 0 nothing, 1 what this run has given up, 2 what rests for the domain too.
local function is_usable(at, pardon)
  return (pardon >= 1 or not excluded[at]) and (pardon >= 2 or not is_banned(at))
end

local function seek_free(pardon)
  local out = redis.call('ZCARD', OUT)
  local free = size - out
  if free == 0 then return nil end
  local first
  if order == 'random' then
    for _ = 1, TRIES do
      first = math.floor(dice * free / DICE)
      dice = (dice * 1664525 + 1013904223) % DICE
      local at = nth_free(first, out)
      if is_usable(at, pardon) then return at end
    end
  else
    first = following - (out == 0 and 0 or redis.call('ZCOUNT', OUT, '-inf', '(' .. following))
  end
  for step = 0, math.min(free, STEPS) - 1 do
    local at = nth_free((first + step) % free, out)
    if is_usable(at, pardon) then return at end
  end
end

local function seek_least_recent(pardon)
  if window == 0 then return nil end
  for _, member in ipairs(redis.call('ZRANGE', LRU, 0, STEPS - 1)) do
    if is_usable(tonumber(member), pardon) then return tonumber(member) end
  end
end

local function seek_resting()
  local found = redis.call('ZRANGE', RESTS, 0, STEPS - 1)
  for _, member in ipairs(found) do
    if is_usable(tonumber(member), 0) then return tonumber(member) end
  end
  return tonumber(found[1] or 0)
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
