-- Correct the buckets by what calls really took. KEYS: the scopes' states.
-- ARGV[1]: JSON {now, reserved: [input, output, nanousd], used: the same, scopes: [{limits}]}. Returns nothing.

local asked = cjson.decode(ARGV[1])
local now = clock(asked.now)
for i, scope in ipairs(asked.scopes) do
  local state, done = load(KEYS[i]), {}
  for _, limit in ipairs(limits_in_force(state, scope.limits, now)) do
    local measure = limit.measure
    if measure ~= 'requests' and measure ~= 'parallel' then
      local refund = demand_of(asked.reserved, measure) - demand_of(asked.used, measure)
      local tally = is_counted(limit) and window_tally(state, limit, now)
      if tally then
        add(tally, -refund)
      elseif not is_counted(limit) then
        move(bucket_of(state, limit, now), limit, now, refund)
      end
      if not done[measure] then
        done[measure] = true
        add(minute_tally(state, measure, now), -refund)
      end
    end
  end
  save(KEYS[i], state)
end
