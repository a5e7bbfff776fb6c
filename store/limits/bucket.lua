-- The paced bucket: router/bucket.py tells the theory, holds the same arithmetic, and is compared with this by a test.
-- limit: {measure, amount, window, key, source}, and what `pace` adds.
-- bucket: {level, at, amount, peak, peak_till, credit, credit_till, typical}.
-- Capacities, needs and flows are thousandths of a unit (_milli); levels are those times window_ms, so that a bucket
-- gains exactly its flow every millisecond.

local BATCH_BLOCK_MS = 25

-- Give a limit its capacity as long as no larger call waits (base), and its largest one (most).
local function pace(limit)
  local milli, spare = limit.amount * 1000, limit.amount * 5
  if limit.measure ~= 'requests' then
    limit.base = math.max(1, math.floor(milli / 133))
  else
    limit.base = 1000 + (limit.amount < 600 and math.min(spare, 1000) or spare)
  end
  limit.most = math.max(limit.base, math.floor(milli / 2))
end

local function flow_milli(limit, capacity_milli)
  local flow = limit.amount * 1000 - capacity_milli
  if limit.measure == 'requests' then
    flow = flow + 1000
  end
  if limit.amount >= 600 then
    flow = flow - math.floor(flow / 500)
  end
  return math.max(1, flow)
end

local function capacity_milli(bucket, limit)
  return math.max(limit.base, math.min(bucket.peak, limit.most))
end

local function pour(bucket, limit, till)
  local capacity = capacity_milli(bucket, limit)
  local gain = math.max(0, till - bucket.at) * flow_milli(limit, capacity)
  bucket.level = math.min(capacity * limit.window, bucket.level + gain)
  bucket.at = till
end

local function new_bucket(now)
  return {level = 0, at = now, peak = 0, peak_till = 0, credit = 0, credit_till = 0, typical = 0}
end

local function fill(bucket, limit, now)
  bucket.at = math.min(bucket.at, now)
  if bucket.peak > 0 and now >= bucket.peak_till then
    pour(bucket, limit, math.max(bucket.at, bucket.peak_till))
    bucket.peak = 0
  end
  pour(bucket, limit, now)
  if now >= bucket.credit_till then
    bucket.credit = 0
  end
end

-- What batch work leaves for interactive work: a quarter, or one call; nothing where two calls find no room.
local function reserve_milli(bucket, limit, need)
  local capacity, typical = capacity_milli(bucket, limit), bucket.typical > 0 and bucket.typical * 1000 or need
  if capacity < 2 * math.max(typical, need) then
    return 0
  end
  return math.max(math.floor(capacity / 4), typical)
end

-- How much level is missing before a call may start; 0 or less when it may start now.
local function missing(bucket, limit, demand, is_batch)
  local need = math.min(demand * 1000, limit.most)
  local reserve = is_batch and reserve_milli(bucket, limit, need) or 0
  return (need + reserve) * limit.window - bucket.level - bucket.credit
end

local function take_level(bucket, cost)
  local from_credit = math.min(bucket.credit, cost)
  bucket.credit = bucket.credit - from_credit
  bucket.level = bucket.level - (cost - from_credit)
end

local function spend(bucket, limit, now, demand, is_batch)
  if bucket.level > limit.base * limit.window then
    bucket.peak_till = now + limit.window
  end
  take_level(bucket, demand * 1000 * limit.window)
  if not is_batch then
    bucket.typical = bucket.typical > 0 and math.floor((7 * bucket.typical + demand) / 8) or demand
  end
end

-- Begin to gather for a call that was refused; returns how long until it may start. Batch work takes blocks: it lets
-- up to a quarter of the bucket run full rather than ask for every call.
local function wait_for(bucket, limit, now, demand, is_batch)
  local need = math.min(demand * 1000, limit.most)
  if need > capacity_milli(bucket, limit) then
    bucket.peak = need
  end
  local capacity = capacity_milli(bucket, limit)
  local flow = flow_milli(limit, capacity)
  local wait = math.ceil(missing(bucket, limit, demand, is_batch) / flow)
  if need > limit.base then
    bucket.peak_till = now + math.max(limit.window, 2 * wait)
  end
  local block = is_batch and math.min(BATCH_BLOCK_MS, math.floor(capacity * limit.window / (4 * flow))) or 1
  return math.max(1, block, wait)
end

-- Correct by reserved minus used, of any number of calls. Debt is at most one window's limit.
local function move(bucket, limit, now, refund)
  local change = refund * 1000 * limit.window
  if change < 0 then
    take_level(bucket, -change)
    bucket.level = math.max(bucket.level, -limit.amount * 1000 * limit.window)
    return
  end
  local repaid = math.min(change, math.max(0, -bucket.level))
  bucket.level = bucket.level + repaid
  local most = math.floor(limit.amount * 1000 / 20) * limit.window
  bucket.credit = math.max(bucket.credit, math.min(bucket.credit + change - repaid, most))
  bucket.credit_till = now + limit.window
end

-- The provider said that so much is left: believe it where it is less than we thought.
local function hold_down(bucket, limit, remaining, age)
  local flow = flow_milli(limit, capacity_milli(bucket, limit))
  local most = remaining * 1000 * limit.window + flow * age
  if bucket.level + bucket.credit > most then
    bucket.credit = 0
    bucket.level = math.min(bucket.level, most)
  end
end
