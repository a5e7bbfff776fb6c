-- Note how many calls of this process run. KEYS: hashes of running calls.
-- ARGV[1]: JSON {now, process, generation, scopes: [{running, known}]}. Returns nothing.

local asked = cjson.decode(ARGV[1])
local now = clock(asked.now)
for i, scope in ipairs(asked.scopes) do
  note_running(KEYS[i], asked, scope, 0, now)
end
