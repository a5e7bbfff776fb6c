-- A provider answered 429. KEYS: the scope's state, its reports. ARGV[1]: JSON {now, process, retry_after_ms or null,
-- per_minute, is_whole, has_limits}. Returns nothing.

local FIRST_WAIT_MS, MOST_WAIT_MS = 500, 15000

local asked = cjson.decode(ARGV[1])
local now = clock(asked.now)
local state = load(KEYS[1])
local was_shut = is_shut(state.closure, now)
local closure = strike(state, now)
local wait = asked.retry_after_ms
if wait == cjson.null or wait <= 0 then
  wait = doubled(FIRST_WAIT_MS, MOST_WAIT_MS, closure.strikes)
end
if not asked.has_limits then
  local accepted = asked.per_minute + total_of_reports(KEYS[2], now, asked.process).per_minute
  cut(state, now, accepted, was_shut or closure.strikes > 1, closure.strikes, asked.is_whole)
end
shut(closure, now, 'rate_limit', wait)
save(KEYS[1], state)
