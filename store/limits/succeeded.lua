-- A call succeeded: the scope is open again, unless it is closed for a set time that still runs.
-- KEYS[1]: the scope's state. ARGV[1]: JSON {now}. Returns nothing.

local now = clock(cjson.decode(ARGV[1]).now)
local state = load(KEYS[1])
local closure = state.closure
if closure and now >= closure.till then
  state.closure = nil
  save(KEYS[1], state)
end
