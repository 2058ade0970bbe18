"""What a Valkey server runs for counters and leases: `windows.py` in Lua, with microseconds for seconds.

A counter is one hash, and dies when its window is over. Fields: t taken; e end of a fixed window; h, n first and next slice,
with b<i>, l<i>, a<i> of each; r, m when a bucket was rolled, and its limit; c holds, x and y when the first and the last end,
:<id> each. A hold is ended once, however often it is asked for. Times are the server's, unless a test says the time.
"""

from __future__ import annotations

from typing import Final

from aforo.egress.valkey import Script
from aforo.gateway.windows import SLICES

_NOW: Final = """
local now = tonumber(ARGV[1])
if now < 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
"""

# KEYS[1] the counter; ARGV: now (-1: the server's), form, length (us), epoch (us), limit, then by operation.
_COUNTER: Final = (
    _NOW
    + """
local key, form = KEYS[1], ARGV[2]
local length, epoch, limit = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local known = redis.call('HMGET', key, 't', 'e', 'h', 'n', 'r', 'm', 'x', 'y', 'c')
local taken, ends = tonumber(known[1] or 0), tonumber(known[2] or 0)
local first, next_ = tonumber(known[3] or 0), tonumber(known[4] or 0)
local rolled, held = tonumber(known[5] or now), tonumber(known[6] or limit)
local expiring, last, holds = tonumber(known[7] or 0), tonumber(known[8] or 0), tonumber(known[9] or 0)
local changed, exists = false, known[1] and true or false

local function text(number) return string.format('%.0f', number) end
local function slice(kind, i) return tonumber(redis.call('HGET', key, kind .. i) or 0) end
local function drains(us) return math.max(0, us) / 1000000 * held / (length / 1000000) end

local function forget(i) redis.call('HDEL', key, 'b' .. i, 'l' .. i, 'a' .. i) end

-- What has left the window.
if form == 'sliding' then
  while first < next_ do
    if slice('l', first) > now - length then break end
    taken = taken - slice('a', first)
    forget(first)
    first = first + 1
    changed = true
  end
elseif form == 'fixed' then
  if length > 0 and now >= ends then
    if first < next_ then forget(first); first = next_ end
    taken = 0
    ends = epoch + (math.floor((now - epoch) / length) + 1) * length
    changed = exists
  end
else
  taken = math.max(0, taken - drains(now - rolled))
  rolled = now
  held = limit
  changed = exists
end

-- Gives the moment that names where it was taken.
local function take(amount)
  changed = true
  exists = true
  taken = taken + amount
  if form == 'bucket' then return now end
  local i = next_ - 1
  local began = 0
  if first < next_ then began = slice('b', i) end
  if first == next_ or (form == 'sliding' and now - began >= length / SLICES) then
    i = next_
    next_ = next_ + 1
    redis.call('HSET', key, 'b' .. i, text(now), 'l' .. i, text(now), 'a' .. i, text(amount))
    return now
  end
  redis.call('HINCRBY', key, 'a' .. i, text(amount))
  if now > slice('l', i) then redis.call('HSET', key, 'l' .. i, text(now)) end
  return began
end

local function give_back(amount, part)
  if form == 'bucket' then
    taken = math.max(0, taken - math.max(0, amount - drains(now - part)))
    changed = exists
    return
  end
  for i = next_ - 1, first, -1 do
    if slice('b', i) == part then
      -- Never more than is there: what a server has lost cannot be given back.
      amount = math.min(amount, slice('a', i))
      if amount == 0 then return end
      redis.call('HINCRBY', key, 'a' .. i, text(-amount))
      taken = taken - amount
      changed = true
      return
    end
  end
end

-- Holds whose time is over.
local function hold_of(value)
  local amount, part, till = string.match(value, '(%-?%d+) (%d+) (%d+)')
  return tonumber(amount), tonumber(part), tonumber(till)
end
if expiring > 0 and now >= expiring then
  expiring = 0
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == ':' then
      local amount, part, till = hold_of(all[i + 1])
      if till <= now then
        redis.call('HDEL', key, all[i])
        holds = holds - 1
        give_back(amount, part)
      elseif expiring == 0 or till < expiring then
        expiring = till
      end
    end
  end
  changed = true
end

local function left() return limit - math.ceil(taken - 0.000001) end

local function wait(amount)
  if form == 'bucket' then
    if limit == 0 then return length end
    return math.max(0, (taken + math.min(amount, limit) - limit) * length / limit)
  elseif form == 'fixed' then
    if length == 0 then return 0 end
    return math.max(0, ends - now)
  end
  local excess = taken + amount - limit
  for i = first, next_ - 1 do
    excess = excess - slice('a', i)
    if excess <= 0 then return math.max(0, slice('l', i) + length - now) end
  end
  return length
end

local function keep()
  if not (changed and exists) then return end
  local written = {'HSET', key, 't', form == 'bucket' and string.format('%.17g', taken) or text(taken)}
  local function also(name, value) written[#written + 1] = name; written[#written + 1] = value end
  local alive = length
  if form == 'bucket' then
    also('r', text(now))
    also('m', text(limit))
    if limit > 0 then alive = taken * length / limit end
  else
    also('h', text(first))
    also('n', text(next_))
    if form == 'fixed' then
      also('e', text(ends))
      alive = ends - now
    end
  end
  if holds > 0 then
    also('x', text(expiring))
    also('y', text(last))
    also('c', text(holds))
    -- A hold is found for as long as it may end.
    alive = math.max(alive, last - now)
  end
  redis.call(unpack(written))
  if holds == 0 and known[9] then redis.call('HDEL', key, 'x', 'y', 'c') end
  -- A second longer: who asks at the last moment still finds it.
  if length > 0 then redis.call('PEXPIRE', key, text(math.max(0, alive) / 1000 + 1000)) end
end
""".replace("SLICES", str(SLICES))
)

# ARGV[6] amount, [7] how long it is held (us; 0: for good), [8] id of the hold. -> admitted, left, wait, part, till
RESERVE: Final = Script(
    _COUNTER
    + """
local amount, lasts = tonumber(ARGV[6]), tonumber(ARGV[7])
local free = left()
if amount > free then
  keep()
  return {0, math.max(0, free), math.ceil(wait(amount)), 0, 0}
end
local part = take(amount)
local till = 0
if lasts > 0 then
  till = now + lasts
  redis.call('HSET', key, ':' .. ARGV[8], text(amount) .. ' ' .. text(part) .. ' ' .. text(till))
  holds = holds + 1
  last = math.max(last, till)
  if expiring == 0 or till < expiring then expiring = till end
end
keep()
return {1, free - amount, 0, part, till}
"""
)

# ARGV[6] amount. -> left
CHARGE: Final = Script(
    _COUNTER
    + """
take(tonumber(ARGV[6]))
keep()
return math.max(0, left())
"""
)

# ARGV[6] what it came to, [7] what was taken, [8] where, [9] till when (0: for good), [10] id of the hold. -> left
SETTLE: Final = Script(
    _COUNTER
    + """
local amount, was, part, till = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
if till > 0 and now >= till then
  -- It was given back: what the call came to counts in full.
  if amount > 0 then take(amount) end
else
  if till > 0 then
    local value = redis.call('HGET', key, ':' .. ARGV[10])
    if not value then
      -- Settled already: nothing is owed, nothing goes back.
      keep()
      return math.max(0, left())
    end
    redis.call('HDEL', key, ':' .. ARGV[10])
    was, part = hold_of(value)
    holds = holds - 1
    changed = true
  end
  if amount < was then give_back(was - amount, part) end
  if amount > was then take(amount - was) end
end
keep()
return math.max(0, left())
"""
)

# -> admitted, left, wait
PEEK: Final = Script(
    _COUNTER
    + """
local free = left()
keep()
return {free > 0 and 1 or 0, math.max(0, free), free > 0 and 0 or math.ceil(wait(1))}
"""
)

# KEYS[1] places under one key, with their ends; ARGV: now, how many there are, how long one lasts (us), id. -> taken or not
ENTER: Final = Script(
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[3]), ARGV[4])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[3] / 1000))
return 1
"""
)

# KEYS[1] as above; ARGV: now, how long one lasts from now on (us), ids. A place that was given to nobody else is had again.
RENEW: Final = Script(
    _NOW
    + """
local till = string.format('%.0f', now + ARGV[2])
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], till, ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[2] / 1000))
return 1
"""
)
