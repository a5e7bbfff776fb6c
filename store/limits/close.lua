-- Close a scope. KEYS[1]: its state. ARGV[1]: JSON {now, reason, for_ms}. Returns nothing.

local asked = cjson.decode(ARGV[1])
local now = clock(asked.now)
local state = load(KEYS[1])
shut(strike(state, now), now, asked.reason, asked.for_ms)
save(KEYS[1], state)
