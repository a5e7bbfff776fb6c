-- Take permits for the longest prefix of the waiting calls that every bucket of every scope allows.
-- KEYS: per scope its state and its hash of running calls. ARGV[1]: JSON {now, process, generation, is_batch,
-- demands: [[input, output, nanousd]], scopes: [{limits: [[measure, amount, window_ms]], running, known}]}.
-- Returns JSON {granted, wait_ms, binding: {scope, measure, closed, amount, used_permille, wait_ms},
-- unseeded: [[scope, measure, amount, window_ms]]}; scopes are counted from 0.

local SEED_WAIT_MS, SLOT_WAIT_MS, URGENT_GRACE_MS, LONGEST_WAIT_MS = 50, 100, 25, 1000

local ask = cjson.decode(ARGV[1])
local now = clock(ask.now)
local demands, is_batch = ask.demands, ask.is_batch
local states, constraints, unseeded = {}, {}, {}

local function constrain(i, limit)
  local one = {scope = i, limit = limit}
  if limit.measure == 'parallel' then
    note_running(KEYS[2 * i], ask, ask.scopes[i], 0, now)
    one.used = count_running(KEYS[2 * i], now, true)
    one.reserve = is_batch and limit.amount >= 4 and math.floor(limit.amount / 10) or 0
  elseif is_counted(limit) then
    one.tally = window_tally(states[i], limit, now)
    one.used = one.tally and sum(one.tally)
    if not one.tally then
      unseeded[#unseeded + 1] = {i - 1, limit.measure, limit.amount, limit.window}
    end
  else
    one.bucket = bucket_of(states[i], limit, now)
  end
  constraints[#constraints + 1] = one
end

local function allows(one, demand)
  local size = demand_of(demand, one.limit.measure)
  if one.bucket then
    return missing(one.bucket, one.limit, size, is_batch) <= 0
  end
  return one.used + math.min(size, one.limit.amount) + (one.reserve or 0) <= one.limit.amount
end

local function charge(one, demand)
  local size = demand_of(demand, one.limit.measure)
  if one.bucket then
    spend(one.bucket, one.limit, now, size, is_batch)
  else
    one.used = one.used + size
    if one.tally then
      add(one.tally, size)
    end
  end
end

local function wait_at(one, demand)
  local size = demand_of(demand, one.limit.measure)
  if one.bucket then
    return wait_for(one.bucket, one.limit, now, size, is_batch)
  elseif one.tally then
    return wait_for_bins(one.tally, one.limit, now, one.used + math.min(size, one.limit.amount) - one.limit.amount)
  end
  return SLOT_WAIT_MS
end

local function describe(one, wait)
  local used = one.used
  if one.bucket then
    used = used_in_minute(states[one.scope], one.limit.measure, now) * one.limit.window / 60000
  end
  local amount, permille = one.limit.amount, math.floor(used * 1000 / one.limit.amount)
  return {scope = one.scope - 1, measure = one.limit.measure, amount = amount, used_permille = permille, wait_ms = wait}
end

-- What refuses everything before any bucket is asked: a closure, or interactive work that waits.
local function shut_out()
  local worst
  for i, state in ipairs(states) do
    local wait = closed_for(state.closure, now)
    if wait > 0 and (not worst or wait > worst.wait_ms) then
      worst = {scope = i - 1, closed = state.closure.reason, amount = 0, used_permille = 0, wait_ms = wait}
    end
  end
  for _, one in ipairs(worst and {} or constraints) do
    local state = states[one.scope]
    if is_batch and now < state.urgent_till and one.limit.key == state.urgent_key then
      worst = describe(one, state.urgent_till - now)
    end
  end
  return worst
end

local function grant(most)
  for i = 1, most do
    local refuser, longest = nil, 0
    for _, one in ipairs(constraints) do
      if not allows(one, demands[i]) then
        local wait = wait_at(one, demands[i])
        if wait > longest then
          refuser, longest = one, wait
        end
      end
    end
    if refuser then
      return i - 1, refuser, longest
    end
    for _, one in ipairs(constraints) do
      charge(one, demands[i])
    end
  end
  return most
end

-- Count what was granted into the use of the last minute, each measure once.
local function remember(granted)
  for _, state in ipairs(states) do
    add(minute_tally(state, 'requests', now), granted)
  end
  local done = {}
  for _, one in ipairs(constraints) do
    local measure = one.limit.measure
    if measure ~= 'requests' and measure ~= 'parallel' and not done[one.scope .. measure] then
      done[one.scope .. measure] = true
      local tally = minute_tally(states[one.scope], measure, now)
      for i = 1, granted do
        add(tally, demand_of(demands[i], measure))
      end
    end
    if measure == 'parallel' and granted > 0 then
      note_running(KEYS[2 * one.scope], ask, ask.scopes[one.scope], granted, now)
    end
  end
end

-- Interactive work that was refused keeps batches away from the refusing scope until it has asked again.
local function mark_urgent(refuser, wait)
  if refuser then
    local state = states[refuser.scope]
    state.urgent_till = now + math.min(wait, LONGEST_WAIT_MS) + URGENT_GRACE_MS
    state.urgent_key, state.urgent_for = refuser.limit.key, ask.process
    return
  end
  for _, state in ipairs(states) do
    if state.urgent_for == ask.process then
      state.urgent_till = 0
    end
  end
end

local is_probe = false
for i, scope in ipairs(ask.scopes) do
  states[i] = load(KEYS[2 * i - 1])
  local _, probing = closed_for(states[i].closure, now)
  is_probe = is_probe or probing
  for _, limit in ipairs(limits_in_force(states[i], scope.limits, now)) do
    constrain(i, limit)
  end
end

local answer = {granted = 0, wait_ms = 0}
local out = shut_out()
if out then
  answer.wait_ms, answer.binding = out.wait_ms, out
elseif #unseeded > 0 then
  answer.wait_ms, answer.unseeded = SEED_WAIT_MS, unseeded
else
  local most = is_probe and math.min(1, #demands) or #demands
  local granted, refuser, wait = grant(most)
  remember(granted)
  answer.granted = granted
  if not is_batch then
    mark_urgent(refuser, wait)
  end
  if is_probe and granted == 1 then
    for _, state in ipairs(states) do
      if state.closure and state.closure.probing then
        state.closure.next = now + probe_gap(state.closure)
      end
    end
  end
  if refuser then
    answer.wait_ms, answer.binding = math.min(wait, LONGEST_WAIT_MS), describe(refuser, wait)
  elseif granted < #demands then
    answer.binding = shut_out()
    answer.wait_ms = answer.binding.wait_ms
  end
end
for i, state in ipairs(states) do
  save(KEYS[2 * i - 1], state)
end
return cjson.encode(answer)
