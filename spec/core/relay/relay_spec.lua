--- `wingman relay`, which stands between the nodes of a real cluster.
local cjson = require "cjson"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local process = require "wingman.loop.process"
local sockets = require "spec.support.sockets"

local function frame(text)
  local len = #text
  return string.char(math.floor(len / 0x1000000), math.floor(len / 0x10000) % 256, math.floor(len / 256) % 256, len % 256) .. text
end

-- A message as the server writes it: the type first, then the fields in alphabetical order.
local function message(type, fields) return frame("\x85\xa4type" .. core.encode(type) .. core.encode(fields):sub(2)) end

local HEARTBEAT = message("HEARTBEAT", { a = 1, b = 2, c = 3, d = 4 })
local JOIN = message("JOIN_REQUEST", { a = 1, b = 2, c = 3, d = 4 })
local COMPLAINT = message("HEARTBEAT_COMPLAINT", { a = 1, b = 2, c = 3, d = 4 })

describe("wingman relay", function()
  local opened
  before_each(function() opened = {} end)
  after_each(function()
    for _, it in ipairs(opened) do it:close() end
  end)
  local function keep(it)
    opened[#opened + 1] = it
    return it
  end

  -- A connection through a relay: both ends of it.
  local function connection(...)
    local args = { "relay", ... }
    args[#args + 1] = "1"
    local child = keep(assert(process.spawn { file = process.wingman_path(), args = args, stdin = true }))
    local line = assert(child:read_line(60))
    local ports = cjson.decode(line).ports[1]
    local listener = keep(assert(sockets.listen("127.0.0.1", ports.target)))
    local near = keep(sockets.connect("127.0.0.1", ports.listen))
    return near, eventually("the connection goes on", function() return listener:accept() end)
  end

  local function await(peer, wanted)
    local came = ""
    eventually(("%d bytes come"):format(#wanted), function()
      came = came .. (peer:read() or "")
      return #came >= #wanted, #came
    end)
    assert.equal(wanted, came)
  end

  it("keeps the ports that it has chosen for the servers behind it, also while these are down", function()
    local child = keep(assert(process.spawn { file = process.wingman_path(), args = { "relay", "3" }, stdin = true }))
    local line = assert(child:read_line(60))
    for _, ports in ipairs(cjson.decode(line).ports) do
      assert.is_true(sockets.is_kept(ports.target))
      for _ = 1, 2 do
        assert(sockets.listen("127.0.0.1", ports.target)):close()
        assert.is_true(sockets.is_kept(ports.target))
      end
    end
  end)

  it("forwards frames in both directions, in order, and the end", function()
    local near, far = connection()
    local sent = {}
    for i = 1, 50 do sent[i] = frame(("%d "):format(i):rep(i)) end
    assert.is_true(near:write(table.concat(sent)))
    assert.is_true(far:write(JOIN))
    await(far, table.concat(sent))
    await(near, JOIN)
    near:close()
    eventually("the other end learns that the connection ended", function() return far:read() == nil end)
  end)

  it("lets no heartbeat through, of either side", function()
    local near, far = connection()
    for _ = 1, 3 do
      near:write(HEARTBEAT .. JOIN .. HEARTBEAT .. COMPLAINT .. HEARTBEAT)
      far:write(HEARTBEAT .. JOIN)
    end
    await(far, (JOIN .. COMPLAINT):rep(3))
    await(near, JOIN:rep(3))
  end)

  it("knows a heartbeat that comes in pieces", function()
    local near, far = connection()
    for i = 1, #HEARTBEAT do near:write(HEARTBEAT:sub(i, i)) end
    near:write(JOIN:sub(1, 5))
    near:write(JOIN:sub(6))
    await(far, JOIN)
  end)

  it("forwards heartbeats when told to", function()
    local near, far = connection "--heartbeats"
    near:write(HEARTBEAT .. JOIN)
    await(far, HEARTBEAT .. JOIN)
  end)

  it("forwards what is no frame as it is", function()
    local near, far = connection()
    local text = "\xff\xff\xff\xff" .. ("x"):rep(100)
    near:write(text)
    await(far, text)
  end)

  it("forwards a frame of a megabyte", function()
    local near, far = connection()
    local large = frame(("0123456789abcdef"):rep(65536))
    local written, came = 0, {}
    eventually("all of it comes", function()
      if written < #large and near:write(large:sub(written + 1, written + 65536)) then written = written + 65536 end
      repeat
        local bytes = far:read()
        came[#came + 1] = bytes
      until not bytes or bytes == ""
      return #table.concat(came) == #large
    end)
    assert.is_true(table.concat(came) == large)
  end)

  it("refuses an argument that it does not know", function()
    local child = keep(assert(process.spawn { file = process.wingman_path(), args = { "relay", "--heartbeat", "1" }, stderr = true }))
    assert.equal(2, (child:wait(60)))
  end)
end)
