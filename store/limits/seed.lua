-- Start a counted window with what was used in it before. It goes into the newest bin: that is the safe side.
-- KEYS[1]: the scope's state. ARGV[1]: JSON {now, measure, window_ms, used}. Returns nothing; the first one wins.

local asked = cjson.decode(ARGV[1])
local now = clock(asked.now)
local state = load(KEYS[1])
seed_window(state, limit_of(asked.measure, 0, asked.window_ms, 'configured'), now, asked.used)
save(KEYS[1], state)
