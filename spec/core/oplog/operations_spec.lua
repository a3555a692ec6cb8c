--- Operations in the log, which keeps what those of a map share once: what leaves is the
--- whole of each, whatever its key, map and value, also after a new start.
local core = require "wingman.core"
local support = require "spec.core.support"
local wingman = require "wingman"

local random = math.random
-- Around the ends of MessagePack's string headers, and of what is copied in one go.
local NAME_LENGTHS = { 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 64, 255, 256 } -- of maps: up to 256
local LENGTHS = { 257, 300, 4000, 65535, unpack(NAME_LENGTHS) }

local function text(length)
  local bytes = {}
  for i = 1, length do bytes[i] = string.char(random(97, 122)) end
  return table.concat(bytes)
end

local function any_of(list) return list[random(#list)] end

local function value()
  local kind = random(5)
  if kind == 1 then return random(-1e6, 1e6) end
  if kind == 2 then return random(2) == 1 end
  if kind == 3 then return text(any_of(LENGTHS)) end
  if kind == 4 then return { v = random(1e9), name = text(random(40)) } end
  return core.null
end

-- What is written, in order, as it should be sent but for the ids.
local function write_some(client, count)
  local names, written = {}, {}
  for i = 1, 6 do names[i] = text(any_of(NAME_LENGTHS)) end
  for i = 1, count do
    local name, key, new = any_of(names), text(any_of(LENGTHS)), nil
    local map = client:map(name)
    if random(4) > 1 then
      new = value()
      assert(map:set(key, new))
    else
      assert(map:remove(key))
    end
    local time = map:record(key)
    written[i] = {
      key = key, mapName = name, opType = new == nil and "REMOVE" or "PUT",
      record = {
        timestamp = { millis = time.millis, counter = time.counter, nodeId = client.core:client_id() },
        value = new == nil and core.null or new,
      },
    }
  end
  return written
end

-- What is in the log, in the order of recording: the operations, and their bytes by id.
local function logged(client)
  local ops, bytes = client.core:operations(0), {}
  table.sort(ops, function(a, b) return a.seq < b.seq end)
  for _, op in ipairs(ops) do bytes[op.id] = op.bytes end
  return ops, bytes
end

describe("operations in the log", function()
  local path, client
  before_each(function()
    path = os.tmpname()
    os.remove(path)
    math.randomseed(support.seed)
  end)
  after_each(function()
    client:close()
    os.remove(path)
  end)

  local function open()
    client = assert(wingman.client { server = "ws://127.0.0.1:1", oplog = { path = path }, log_to = function() end })
  end

  local function assert_as(written, ops)
    assert.equal(#written, #ops)
    for i, op in ipairs(ops) do
      written[i].id = op.id
      assert.same(written[i], core.decode(op.bytes), "operation " .. i)
    end
  end

  it(("are whole, whatever they say (seed %d)"):format(support.seed), function()
    open()
    local written = write_some(client, 300)
    assert_as(written, (logged(client)))
  end)

  it("take half of the memory that they have as bytes to be sent", function()
    open()
    for i = 1, 20000 do assert(client:map "players":set("player-" .. i, { score = i })) end
    local _, bytes = client.core:pending()
    assert.is_true(client.core:stats().log_footprint < bytes / 2)
  end)

  it(("leave as they are in the log (seed %d)"):format(support.seed), function()
    open()
    write_some(client, 100)
    local _, bytes = logged(client)
    local left = 0
    repeat
      local message, count = client.core:foreign_take()
      for _, op in ipairs(message and core.decode(message).payload.ops or {}) do
        assert.truthy(message:find(bytes[op.id], 1, true))
        left = left + 1
      end
    until count == 0
    assert.equal(100, left)
  end)

  it(("are the same after a new start (seed %d)"):format(support.seed), function()
    open()
    local written = write_some(client, 100)
    local _, before = logged(client)
    client:close()
    open()
    local ops, after = logged(client)
    assert_as(written, ops)
    assert.same(before, after)
  end)
end)
