-- Learn limits from response headers. KEYS[1]: the scope's state.
-- ARGV[1]: JSON {now, age_ms, readings: [[measure, window_ms, limit or 0, remaining or -1]]}. Returns nothing.

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

for _, reading in ipairs(asked.readings) do
  local heard, remaining = limit_of(reading[1], reading[3], reading[2], 'header'), reading[4]
  if heard.amount > 0 then
    state.headers[heard.key] = {measure = heard.measure, amount = heard.amount, window = heard.window}
  end
  if remaining >= 0 and is_counted(heard) and heard.amount > 0 then
    believe_window(heard, remaining)
  elseif remaining >= 0 then
    believe_bucket(heard, remaining)
  end
end
save(KEYS[1], state)
