-- A scope's state, kept packed in one string: paced buckets, counted windows, use of the last minute, what headers
-- said, the closure, the learned limit, and until when interactive work waits here.

local STATE_TTL_MS = 2 * 86400000 -- longer than any closure and any counted day
local LEAST_COUNTED_MS = 3600000 -- limits over an hour and more are counted, the rest is paced

local function clock(given)
  if given and given ~= cjson.null then
    return given
  end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function load(key)
  local packed = redis.call('GET', key)
  if packed then
    return cmsgpack.unpack(packed)
  end
  return {buckets = {}, counted = {}, minute = {}, headers = {}, urgent_till = 0, urgent_for = ''}
end

local function save(key, state)
  redis.call('SET', key, cmsgpack.pack(state), 'PX', STATE_TTL_MS)
end

local function limit_of(measure, amount, window, source)
  local key = measure .. ':' .. string.format('%.0f', window)
  return {measure = measure, amount = amount, window = window, key = key, source = source}
end

-- The limits in force: those that are set, what headers said of others, a learned one where no rate is known.
local function limits_in_force(state, configured, now)
  local found, known, has_rate = {}, {}, false
  for _, each in ipairs(configured) do
    local limit = limit_of(each[1], each[2], each[3], 'configured')
    known[limit.key] = true
    found[#found + 1] = limit
  end
  for key, header in pairs(state.headers) do
    if not known[key] then
      found[#found + 1] = limit_of(header.measure, header.amount, header.window, 'header')
    end
  end
  for _, limit in ipairs(found) do
    has_rate = has_rate or (limit.measure == 'requests' and limit.window < LEAST_COUNTED_MS)
  end
  if state.learned and not has_rate then
    grow(state, now)
    found[#found + 1] = limit_of('requests', math.floor(state.learned.amount), 60000, 'learned')
  end
  return found
end

local function is_counted(limit)
  return limit.window >= LEAST_COUNTED_MS
end

local function bucket_of(state, limit, now)
  local bucket = state.buckets[limit.key]
  if not bucket then
    bucket = new_bucket(now)
    state.buckets[limit.key] = bucket
  end
  bucket.amount = limit.amount
  pace(limit)
  fill(bucket, limit, now)
  return bucket
end

-- How much of a measure a call takes; demand: {input_tokens, output_tokens, cost_nanousd}.
local function demand_of(demand, measure)
  if measure == 'requests' or measure == 'parallel' then
    return 1
  elseif measure == 'tokens' then
    return demand[1] + demand[2]
  elseif measure == 'input_tokens' then
    return demand[1]
  elseif measure == 'output_tokens' then
    return demand[2]
  end
  return demand[3]
end
