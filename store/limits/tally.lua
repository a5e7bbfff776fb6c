-- A tally: what was used lately, in a ring of bins. {slot, bins}; bins[slot % count + 1] is the one being filled.

local MINUTE_BINS, MINUTE_BIN_MS = 13, 5000 -- 12 whole ones, and the one being filled
local WINDOW_BINS = 25 -- 24 whole ones, and the one being filled

local function new_tally(slot, count)
  local bins = {}
  for i = 1, count do
    bins[i] = 0
  end
  return {slot = slot, bins = bins}
end

local function roll(tally, slot)
  local count = #tally.bins
  for passed = math.max(tally.slot + 1, slot - count + 1), slot do
    tally.bins[passed % count + 1] = 0
  end
  tally.slot = math.max(tally.slot, slot)
end

local function add(tally, amount)
  local i = tally.slot % #tally.bins + 1
  tally.bins[i] = tally.bins[i] + amount
end

local function sum(tally)
  local total = 0
  for _, amount in ipairs(tally.bins) do
    total = total + amount
  end
  return total
end

local function minute_tally(state, measure, now)
  local slot = math.floor(now / MINUTE_BIN_MS)
  local tally = state.minute[measure]
  if not tally then
    tally = new_tally(slot, MINUTE_BINS)
    state.minute[measure] = tally
  end
  roll(tally, slot)
  return tally
end

-- Use in the last minute, the oldest bin in proportion to what of it is still inside.
local function used_in_minute(state, measure, now)
  local tally = minute_tally(state, measure, now)
  local oldest = tally.bins[(tally.slot + 1) % MINUTE_BINS + 1]
  local gone = (now % MINUTE_BIN_MS) / MINUTE_BIN_MS
  return math.max(0, math.floor(sum(tally) - oldest * gone))
end

-- The tally of a limit that is counted, not paced; nil until it is seeded.
local function window_tally(state, limit, now)
  local tally = state.counted[limit.key]
  if tally then
    roll(tally, math.floor(now * (WINDOW_BINS - 1) / limit.window))
  end
  return tally
end

local function seed_window(state, limit, now, used)
  if not state.counted[limit.key] then
    state.counted[limit.key] = new_tally(math.floor(now * (WINDOW_BINS - 1) / limit.window), WINDOW_BINS)
    add(state.counted[limit.key], used)
  end
end

-- How long until so much of a counted window is forgotten.
local function wait_for_bins(tally, limit, now, short)
  local width = limit.window / (WINDOW_BINS - 1)
  for age = 1, WINDOW_BINS do
    short = short - tally.bins[(tally.slot + age) % WINDOW_BINS + 1]
    if short <= 0 then
      return math.max(1, math.ceil((tally.slot + age) * width - now))
    end
  end
  return limit.window
end
