package main

import "github.com/redis/go-redis/v9"

// Versions have 64 bits, and numbers of Lua 53: the scripts compare halves. What is an expiry fits.

// putScript stores entries whose version is at least the stored one, and tells of those that changed. It is all or nothing for
// everybody else, because scripts run alone.
//
//	KEYS  index, stream of changes, keys of entries…
//	ARGV  our name in the stream, length of what the keys of entries begin with, batches to keep in the stream, keys of a batch, entries…
var putScript = redis.NewScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local told, keys = {}, tonumber(ARGV[4])
local function tell()
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'by', ARGV[1], 'keys', table.concat(told))
  told = {}
end
for i = 3, #KEYS do
  local key, new = KEYS[i], ARGV[i + 2]
  local old = redis.pcall('GET', key)
  if type(old) ~= 'string' or #old < 16 then
    old = false -- nothing, or nothing of ours
  end
  local nh, nl, eh, el = struct.unpack('>I4I4I4I4', new)
  local stale = false
  if old then
    local oh, ol = struct.unpack('>I4I4', old)
    stale = oh > nh or (oh == nh and ol > nl)
  end
  if not stale then
    local member = string.sub(key, ARGV[2] + 1)
    local expires = eh * 4294967296 + el
    if expires ~= 0 and expires <= now then
      redis.call('DEL', key)
      redis.call('ZREM', KEYS[1], member)
    else
      if expires == 0 then
        redis.call('SET', key, new)
      else
        redis.call('SET', key, new, 'PXAT', string.format('%.0f', expires))
      end
      redis.call('ZADD', KEYS[1], 0, member)
      if not old or string.sub(old, 1, 8) ~= string.sub(new, 1, 8) or string.sub(old, 17) ~= string.sub(new, 17) then
        told[#told + 1] = struct.pack('>I4', #member) .. member
        if #told == keys then
          tell()
        end
      end
    end
  end
end
if #told > 0 then
  tell()
end
return 'OK'
`)

// deleteScript removes entries whose version is at most the given one.
//
//	KEYS  index, keys of entries…
//	ARGV  length of what the keys of entries begin with, versions…
var deleteScript = redis.NewScript(`
local removed = 0
for i = 2, #KEYS do
  local old = redis.pcall('GET', KEYS[i])
  if old then
    local oh, ol = 0, 0 -- of something that is not ours
    if type(old) == 'string' and #old >= 16 then
      oh, ol = struct.unpack('>I4I4', old)
    end
    local nh, nl = struct.unpack('>I4I4', ARGV[i])
    if oh < nh or (oh == nh and ol <= nl) then
      redis.call('DEL', KEYS[i])
      redis.call('ZREM', KEYS[1], string.sub(KEYS[i], ARGV[1] + 1))
      removed = removed + 1
    end
  end
end
return removed
`)

// forgetScript removes keys from the index whose entries have expired.
//
//	KEYS  index, keys of entries…
//	ARGV  length of what the keys of entries begin with
var forgetScript = redis.NewScript(`
local removed = 0
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    removed = removed + redis.call('ZREM', KEYS[1], string.sub(KEYS[i], ARGV[1] + 1))
  end
end
return removed
`)
