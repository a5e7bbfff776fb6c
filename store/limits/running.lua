-- Calls in flight of each process, in one hash per scope: process -> "generation started offset seen_ms".
-- `started` counts the permits that Redis gave; a process sends how many of them it knows of (`known`) and how many of
-- its calls run. Its offset = running - known only ever falls (it is minus the number of calls that ended), so that
-- messages may overtake each other; in flight = started + offset. A new generation forgets permits that got lost on
-- the way. Nothing is counted up and down, so nothing can leak: who is not heard of for a while does not count.

local SILENT_MS = 15000
local RUNNING_TTL_MS = 3600000

-- asked: {process, generation}; mine: {running, known}; granted: permits given just now.
local function note_running(key, asked, mine, granted, now)
  local generation, started, offset = asked.generation, mine.known, mine.running - mine.known
  local entry = redis.call('HGET', key, asked.process)
  if entry then
    local had_generation, had_started, had_offset = string.match(entry, '^(%d+) (%d+) (-?%d+)')
    had_generation = tonumber(had_generation)
    if had_generation >= generation then
      generation = had_generation
      started = math.max(started, tonumber(had_started))
      offset = math.min(offset, tonumber(had_offset))
    end
  end
  if generation == asked.generation then
    started = started + granted
  end
  redis.call('HSET', key, asked.process, string.format('%.0f %.0f %.0f %.0f', generation, started, offset, now))
  redis.call('PEXPIRE', key, RUNNING_TTL_MS)
end

-- Calls in flight of all living processes. With `is_tidy` the others are deleted.
local function count_running(key, now, is_tidy)
  local total, entries = 0, redis.call('HGETALL', key)
  for i = 1, #entries, 2 do
    local started, offset, seen = string.match(entries[i + 1], '^%d+ (%d+) (-?%d+) (%d+)$')
    if now - tonumber(seen) < SILENT_MS then
      total = total + math.max(0, tonumber(started) + tonumber(offset))
    elseif is_tidy then
      redis.call('HDEL', key, entries[i])
    end
  end
  return total
end
