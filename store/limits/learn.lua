-- Learn limits from the headers of one response, and forget those that responses stopped telling. KEYS[1]: the scope's
-- state. ARGV[1]: JSON {now, age_ms, readings: [[measure, window_ms, limit or 0, remaining or -1]]}. Returns nothing.

local FORGOTTEN_MS = 600000 -- from the first response that did not tell a limit, when none told it after that

local asked = cjson.decode(ARGV[1])
local now = clock(asked.now)
local state = load(KEYS[1])

local function believe_window(heard, remaining)
  local used = math.max(0, heard.amount - remaining)
  seed_window(state, heard, now, used)
  local tally = window_tally(state, heard, now)
  add(tally, math.max(0, used - sum(tally)))
end

-- Only a bucket that exists can be held down; it knows the amount that is in force for it.
local function believe_bucket(heard, remaining)
  local bucket = state.buckets[heard.key]
  if bucket then
    local limit = limit_of(heard.measure, bucket.amount, heard.window, 'header')
    hold_down(bucket_of(state, limit, now), limit, remaining, asked.age_ms)
  end
end

local function forget_untold(told)
  for key, header in pairs(state.headers) do
    header.untold_since = not told[key] and (header.untold_since or now) or nil
    if header.untold_since and now - header.untold_since >= FORGOTTEN_MS then
      state.headers[key] = nil
    end
  end
end

local told = {}
for _, reading in ipairs(asked.readings) do
  local heard, remaining = limit_of(reading[1], reading[3], reading[2], 'header'), reading[4]
  if heard.amount > 0 then
    state.headers[heard.key] = {measure = heard.measure, amount = heard.amount, window = heard.window}
  end
  told[heard.key] = told[heard.key] or heard.amount > 0 or remaining >= 0
  if remaining >= 0 and is_counted(heard) and heard.amount > 0 then
    believe_window(heard, remaining)
  elseif remaining >= 0 then
    believe_bucket(heard, remaining)
  end
end
forget_untold(told)
save(KEYS[1], state)
