-- A closure: {reason, till, next, probing, strikes, first}. After `till` one probe at a time is let through, if
-- `probing`: no sooner than `next`.

local STRIKES_FORGOTTEN_MS = 60000
local ONE_REFUSAL_MS = 300
local LONGEST_MS = 86400000

-- reason -> the gap between probes after the first strike, and at most
local PROBE_GAPS = {
  rate_limit = {1000, 1000},
  failing = {5000, 30000},
  auth = {30000, 600000},
  billing = {60000, 600000},
}

local function doubled(first, most, strikes)
  return math.min(most, first * 2 ^ math.min(30, math.max(0, strikes - 1)))
end

local function probe_gap(closure)
  local gap = PROBE_GAPS[closure.reason]
  return doubled(gap[1], gap[2], closure.strikes)
end

-- Returns how long the scope is closed (0: it is open, or ready for a probe), and whether a call now is a probe.
local function closed_for(closure, now)
  if not closure then
    return 0, false
  end
  if now < closure.till then
    return closure.till - now, false
  end
  if not closure.probing then
    return 0, false
  end
  return math.max(0, closure.next - now), now >= closure.next
end

local function is_shut(closure, now)
  return closure ~= nil and (now < closure.till or closure.probing)
end

-- Close, or keep closed for longer; after `strike`. A closure is never shortened: the one that lasts longer stays.
local function shut(closure, now, reason, for_ms)
  local till = now + math.min(for_ms, LONGEST_MS)
  if now < closure.till and till <= closure.till then
    return
  end
  closure.reason, closure.till, closure.next = reason, till, math.max(closure.next, till)
  closure.probing = reason ~= 'rate_limit' or closure.probing or closure.strikes > 1
end

-- Count one more failure in a row; those that come together, or while it is closed, are the same one.
local function strike(state, now)
  local closure = state.closure
  if closure and not closure.probing and now > closure.till + STRIKES_FORGOTTEN_MS then
    closure = nil
  end
  if not closure then
    closure = {reason = '', till = 0, next = 0, probing = false, strikes = 0, first = -ONE_REFUSAL_MS}
    state.closure = closure
  end
  if now >= closure.till and now - closure.first >= ONE_REFUSAL_MS then
    closure.strikes, closure.first = closure.strikes + 1, now
  end
  return closure
end
