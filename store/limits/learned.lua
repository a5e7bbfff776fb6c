-- The learned limit of requests a minute, where nobody tells one: additive growth is by time, a refusal cuts it.
-- {amount, ceiling, at, cut_at, refused_at, seen, is_guess, is_burst}; amounts may be fractions. `seen` is what was accepted
-- in the minute before the last cut: the same figure twice is the limit itself. A guess is made from the pace of less than
-- a minute. Where nothing at all is taken after it, the provider counts by the minute and a burst used that up: the pace so
-- far, which falls while all is refused, then comes down to what such a minute takes.

local LEAST_SEEN = 20 -- fewer accepted calls say nothing of a limit: that refusal only closes
local CUT_EVERY_MS = 5000
local LONGEST_STEP_MS = 60000 -- idle time teaches nothing: a longer gap between two looks counts as this
local QUICK, SLOW, BOLD = 1.05, 1.002, 1.02 -- a second: up to 97 % of the ceiling; beyond it; after long peace
local PEACE_MS = 60000
local BUSY_STEP_S = 5 -- bold only where somebody asks all the time
local MOST_UNUSED = 2 -- it grows to this multiple of what was ever shown to work, and further only with use
local LEAST_CUT = 0.8 -- while the rate still rises, the last minute's average is far below it
local GUESS = 1.25 -- a second: a guess is left behind quickly, until it is refused
local MOST_GUESS = 1e9
local BURST_STRIKES = 3 -- refusals one after the other, some 3 s of them, that tell a burst from a crowd
local SAME, AT_LIMIT = 0.2, 0.96 -- two figures that differ by less are the same; what is then left of it

local function grow(state, now)
  local learned = state.learned
  local left = math.min(LONGEST_STEP_MS, math.max(0, now - learned.at)) / 1000
  if learned.is_guess then
    learned.amount = math.min(MOST_GUESS, learned.amount * GUESS ^ left)
    learned.ceiling, learned.at = learned.amount, now
    return
  end
  local knee = learned.ceiling * 0.97
  if learned.amount < knee then
    local climb = math.min(left, math.log(knee / learned.amount) / math.log(QUICK))
    learned.amount = learned.amount * QUICK ^ climb
    left = left - climb
  end
  local is_peace = now - learned.refused_at > PEACE_MS and left < BUSY_STEP_S
  local grown = learned.amount * (is_peace and BOLD or SLOW) ^ left
  local most = MOST_UNUSED * math.max(learned.ceiling, used_in_minute(state, 'requests', now))
  learned.amount = math.max(learned.amount, math.min(grown, most))
  learned.at = now
end

-- Everything is refused since the guess: see above. Later on there is nothing to learn from that.
local function come_down(learned, now, accepted, strikes)
  if learned.is_guess and strikes >= BURST_STRIKES then
    learned.is_guess, learned.is_burst, learned.seen = false, true, nil
  end
  if learned.is_burst then
    learned.amount = math.max(1, math.min(learned.amount, accepted))
    learned.ceiling, learned.at, learned.cut_at, learned.refused_at = learned.amount, now, now, now
  end
end

-- A refusal: learn the limit from what was accepted in the last minute. `strikes` are refusals with nothing accepted
-- between them. Before a whole minute is known, `accepted` is the pace so far.
local function cut(state, now, accepted, all_refused, strikes, is_whole)
  local learned = state.learned
  if learned and all_refused and (learned.is_guess or learned.is_burst) then
    come_down(learned, now, accepted, strikes)
    return
  end
  if not learned or learned.is_guess then
    if accepted >= LEAST_SEEN and not all_refused then
      state.learned = {
        amount = accepted, ceiling = accepted, at = now, cut_at = now, refused_at = now, seen = accepted,
        is_guess = not is_whole,
      }
    end
    return
  end
  grow(state, now)
  learned.refused_at, learned.is_burst = now, nil
  if all_refused or accepted < 1 or now - learned.cut_at < CUT_EVERY_MS then
    return
  end
  local is_same = learned.seen and math.abs(accepted - learned.seen) <= SAME * learned.seen
  local left = is_same and AT_LIMIT * accepted or math.max(0.9 * accepted, LEAST_CUT * learned.amount)
  learned.amount = math.max(1, math.min(learned.amount, left))
  learned.ceiling = math.max(learned.amount, accepted)
  learned.cut_at, learned.seen = now, accepted
end
