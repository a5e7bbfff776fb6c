-- Reports of processes about one scope: process -> packed {in_flight, waiting, per_minute, us or -1, seen_ms}.

local REPORT_LIFE_MS = 15000
local REPORTS_TTL_MS = 3600000

local function write_report(key, process, report, now)
  redis.call('HSET', key, process, cmsgpack.pack({report[1], report[2], report[3], report[4], now}))
  redis.call('PEXPIRE', key, REPORTS_TTL_MS)
  local entries = redis.call('HGETALL', key)
  for i = 1, #entries, 2 do
    if now - cmsgpack.unpack(entries[i + 1])[5] >= REPORT_LIFE_MS then
      redis.call('HDEL', key, entries[i])
    end
  end
end

-- Sums over the living processes, without the one named.
local function total_of_reports(key, now, without)
  local total, weights, weighted = {in_flight = 0, waiting = 0, per_minute = 0, us = -1}, 0, 0
  local entries = redis.call('HGETALL', key)
  for i = 1, #entries, 2 do
    local report = cmsgpack.unpack(entries[i + 1])
    if entries[i] ~= without and now - report[5] < REPORT_LIFE_MS then
      total.in_flight = total.in_flight + report[1]
      total.waiting = total.waiting + report[2]
      total.per_minute = total.per_minute + report[3]
      if report[4] >= 0 then
        local weight = math.max(1, report[3])
        weights, weighted = weights + weight, weighted + weight * report[4]
      end
    end
  end
  if weights > 0 then
    total.us = math.floor(weighted / weights)
  end
  return total
end
