--- Damages op logs' files and opens them: `run oplog_damage.lua DIRECTORY TRIALS SEED`. Ends with
--- a line of counts; before that, a line for everything that is wrong. It is a process of its own,
--- so that a signal ends nothing else.
local core = require "wingman.core"
local files = require "spec.support.files"
local wingman = require "wingman"

local directory, trials, seed = arg[1], tonumber(arg[2]), tonumber(arg[3])
local path = directory .. "/damaged.log"
local random = math.random

local function say(...)
  io.stdout:write(string.format(...), "\n")
  io.stdout:flush()
end

local function write_file(bytes) files.write(path, bytes) end

local function open(name)
  return wingman.client { server = "ws://127.0.0.1:1", oplog = { path = name }, batch = { in_flight = 100000 }, log_to = function() end }
end

-- Every operation's bytes by its key; how many there are; a key that is there twice.
local function pending(client)
  local found, count, twice = {}, 0, nil
  for _, op in ipairs(client.core:operations(0)) do
    if found[op.key] then twice = op.key end
    found[op.key], count = op.bytes, count + 1
  end
  return found, count, twice
end

-- The id's attempt, its last two digits, counts what went back to pending; it is not in the file.
local function without_attempt(bytes) return bytes:sub(1, 24) .. bytes:sub(27) end

-- A file of `ticks` ticks of ten operations, of which those stay pending that `keeps` says. Its
-- bytes, what is pending in it, and everything that ever was.
local function make(name, ticks, text, keeps)
  local client = assert(open(name))
  local map, ever = client:map "players", {}
  for tick = 1, ticks do
    for i = 1, 10 do assert(map:set(("%d-%d"):format(tick, i), { tick = tick, text = text:rep(i) })) end
    assert(client:sync())
    for _, op in ipairs(client.core:operations(0)) do ever[op.key] = without_attempt(op.bytes) end
    local ops = core.decode((client.core:foreign_take())).payload.ops
    if not keeps(tick) then
      client.core:foreign_ack(ops[#ops].id)
      assert(client:sync())
    end
  end
  local expected, count = pending(client)
  client:close()
  for key, bytes in pairs(expected) do expected[key] = without_attempt(bytes) end
  return { bytes = files.read(name), expected = expected, count = count, ever = ever }
end

local function random_bytes(count)
  local bytes = {}
  for i = 1, count do bytes[i] = string.char(random(0, 255)) end
  return table.concat(bytes)
end

local function replace(bytes, at, new) return bytes:sub(1, at - 1) .. new .. bytes:sub(at + #new) end

-- One byte that is not 0, or the next best one.
local function a_used_byte(bytes)
  local at = random(#bytes)
  return bytes:find("[^%z]", at) or at
end

local damages = {
  function(bytes) -- a bit
    local at = a_used_byte(bytes)
    return replace(bytes, at, string.char(bit.bxor(bytes:byte(at), 2 ^ random(0, 7)))), "bit at " .. at
  end,
  function(bytes) -- some bytes
    local at = random(#bytes)
    local count = math.min(random(16), #bytes - at + 1)
    return replace(bytes, at, random_bytes(count)), ("%d bytes at %d"):format(count, at)
  end,
  function(bytes) -- a page
    local at = math.floor((random(#bytes) - 1) / 4096) * 4096 + 1
    local count = math.min(4096, #bytes - at + 1)
    return replace(bytes, at, random(2) == 1 and ("\0"):rep(count) or random_bytes(count)), "page at " .. at
  end,
  function(bytes) -- a page of the same file at another place
    local pages = math.floor(#bytes / 4096)
    local from, to = random(0, pages - 1) * 4096, random(0, pages - 1) * 4096
    return replace(bytes, to + 1, bytes:sub(from + 1, from + 4096)), ("page %d at %d"):format(from, to)
  end,
  function(bytes)
    local length = random(#bytes - 1)
    return bytes:sub(1, length), "cut to " .. length
  end,
  function(bytes) -- the beginning is all that is left, or nothing
    local length = random(0, 2) * random(0, 2048)
    return bytes:sub(1, length), "cut to " .. length
  end,
}

-- What is wrong with operations' bytes; nil when every one was written, and is there once.
local function compare(found, written, twice)
  if twice then return ("the operation of the key '%s' is there twice"):format(twice) end
  for key, bytes in pairs(found) do
    if not written[key] then return ("an operation of the key '%s' that nobody wrote"):format(key) end
    if without_attempt(bytes) ~= written[key] then return ("another operation of the key '%s'"):format(key) end
  end
end

local counts = { whole = 0, refused = 0, wrong = 0, saved = 0 }

local function expect_as_it_was(source, client)
  local found, count, twice = pending(client)
  client:close()
  counts.whole = counts.whole + 1
  if count ~= source.count then return ("%d operations in place of %d"):format(count, source.count) end
  return compare(found, source.expected, twice)
end

-- What is whole of it is in a new file.
local function expect_salvage(source)
  local to = path .. ".salvaged"
  local found, reason, problem = core.oplog_salvage(path, to)
  if not found then return problem ~= "not_a_log" and "salvage: " .. reason or nil end
  local client, err = open(to)
  if not client then return "salvaged: " .. err.message end
  local operations, count, twice = pending(client)
  client:close()
  os.remove(to)
  counts.saved = counts.saved + count
  if count ~= found.pending then return ("salvage counts %d operations, and %d are there"):format(found.pending, count) end
  return compare(operations, source.ever, twice)
end

local function expect_refused(source, damaged, err, salvage)
  counts.refused = counts.refused + 1
  if err.code ~= "OPLOG" or (err.problem ~= "damaged" and err.problem ~= "not_a_log") then return tostring(err) end
  if files.read(path) ~= damaged then return "a file that was refused has changed" end
  local found, reason = core.oplog_inspect(path)
  if not found and err.problem == "damaged" then return "inspect: " .. reason end
  if found and not found.damaged then return "inspect says that it is whole: " .. err.message end
  if salvage then return expect_salvage(source) end
end

local function try(source, number)
  local damaged, what = damages[random(#damages)](source.bytes)
  write_file(damaged)
  local client, err = open(path)
  local wrong
  if client then wrong = expect_as_it_was(source, client)
  else wrong = expect_refused(source, damaged, err, random(10) == 1) end
  if not wrong then return end
  counts.wrong = counts.wrong + 1
  say("seed %d, trial %d, %s: %s", seed, number, what, wrong)
end

wingman.run(function()
  math.randomseed(seed)
  local small = make(directory .. "/small.log", 60, "t", function(tick) return tick % 3 == 0 end)
  -- What counts begins in the middle of this one, and what was settled is in front of it.
  local restarted = make(directory .. "/restarted.log", 40, ("text"):rep(200), function(tick) return tick > 35 end)
  for number = 1, trials do
    if number % 50 == 1 then say("trial %d", number) end
    try(random(20) == 1 and restarted or small, number)
  end
  say("whole %d refused %d wrong %d saved %d", counts.whole, counts.refused, counts.wrong, counts.saved)
end)
