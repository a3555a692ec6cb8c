--- Errors in functions of a script go to its log, once each; what it listens to exists.
local clusters = require "spec.support.cluster"
local events = require "wingman.client.events"
local eventually = require "spec.support.eventually"
local files = require "spec.support.files"
local inspect = require "wingman.inspect"
local loop = require "wingman.loop"
local protected = require "wingman.base.protected"
local wingman = require "wingman"

local PATIENCE = 60

-- What Wingman writes to standard error while `fn` runs.
local function on_stderr(fn)
  local heard = {}
  loop.on_error(function(message) heard[#heard + 1] = message end)
  local ok, err = pcall(fn)
  loop.on_error(nil)
  assert(ok, err)
  return table.concat(heard, "\n")
end

clusters.on_each(getfenv(), "callbacks", function(shared, it)
  -- Counts how often the log hears of a failed callback.
  local function logging_client(options)
    local lines = {}
    options = options or {}
    options.log_to = function(level, event, fields)
      if event == "callback_failed" then lines[#lines + 1] = { level = level, callback = fields.callback, error = fields.error } end
    end
    return shared:started(options), lines
  end

  it("that raise are logged once, with their own frames, and counted", function()
    local client, lines = logging_client()
    local written = on_stderr(function()
      local name = shared:map_name()
      assert(client:map(name):set("k", 1, { on_ack = function() error "in on_ack" end }))
      assert(client:drain(PATIENCE))
      client:on("message", function() error "in a listener" end)
      client.events:emit("message", {})
      client:map(name):on("change", function() error "in a change" end, { replicate = false })
      client:map(name):announce("k", 2)
    end)
    assert.equal("", written)
    local reported = {}
    for _, line in ipairs(lines) do reported[#reported + 1] = line.callback .. ": " .. line.error:match ":%d+: ([^\n]+)" end
    assert.same({ "on_ack: in on_ack", "message: in a listener", ("change of map '%s': in a change"):format(client.map_order[1]) }, reported)
    assert.equal(3, client:stats().callback_errors)
    for _, line in ipairs(lines) do
      assert.equal("error", line.level)
      assert.truthy(line.error:find("callbacks_spec.lua", 1, true), line.error)
      assert.is_nil(line.error:find("wingman/", 1, true), "frames of Wingman's own: " .. line.error)
      assert.equal(1, select(2, line.error:gsub("stack traceback", "")), line.error)
    end
  end)

  it("that raise again and again are logged seldom, and all are counted", function()
    local client, lines = logging_client()
    for i = 1, 500 do
      assert(client:map "callbacks":set("k" .. i, i, { on_ack = function() error "every time" end }))
    end
    assert(client:drain(PATIENCE))
    assert.equal(500, client:stats().callback_errors)
    assert.is_true(#lines >= 1 and #lines < 250, #lines .. " lines")
  end)

  it("that are policies are logged as seldom, and counted with the others", function()
    local client = shared:started()
    local before = client:stats().callback_errors
    for _ = 1, 200 do inspect.policy(client, "routing", function() error "no route" end) end
    assert.equal(before + 200, client:stats().callback_errors)
    local reported = shared:logged "routing_policy"
    assert.is_true(#reported >= 1 and #reported < 100, #reported .. " lines")
    assert.truthy(reported[1].error:find("no route", 1, true), reported[1].error)
  end)

  it("that raise keep neither others from hearing nor the client from working", function()
    local client, lines = logging_client()
    local heard = 0
    client:on("node_lost", function() error "first" end)
    client:on("node_lost", function() heard = heard + 1 end)
    client:on("state", function() error "state" end)
    client.core:disconnect(0)
    client.provider.connections:handle("lost", 0, "lost", 0, true, "")
    assert.equal(1, heard)
    assert.is_true(#lines >= 1)
    assert(client:map "callbacks":set("k", 1))
    assert(client:drain(PATIENCE))
  end)

  it("write no warning when a client writes before it is started, and all is well", function()
    local client = shared:client()
    for i = 1, 2000 do assert(client:map "callbacks":set("early-" .. i, i)) end
    local starting = loop.spawn(client.start, client)
    local i = 0
    eventually("the client has started", function()
      i = i + 1
      assert(client:map "callbacks":set("meanwhile-" .. i, i))
      return starting.done
    end)
    assert(client:drain(PATIENCE))
    assert.same({}, shared:logged "send_batch_failed")
  end)
end)

-- One seed of three: the advertised addresses of the others are tried once its map is known,
-- and a start does not wait for that.
clusters.on_each(getfenv(), "a client that finds nodes", function(shared, it)
  local function started()
    local client = shared:started { cluster = { seeds = { shared.cluster.urls[1] } } }
    local map = client:map "callbacks"
    for i = 1, 30 do assert(map:set("key-" .. i, i)) end
    return client
  end

  it("writes no warning of keys that wait for it to connect to them", function()
    local client = started()
    assert(client:drain(PATIENCE))
    assert.equal(3, #client:connected_nodes())
    assert.same({}, shared:logged "send_batch_failed")
  end)

  it("warns once of keys whose node cannot be reached, when it has been tried", function()
    assert(shared.cluster:fault("node-3", "refuse", true))
    local client = started()
    local function warned() return #shared:logged "send_batch_failed" > 0 end
    eventually("send_batch_failed is in the log", warned)
    local owners, lines = client:partition_map().owners, shared:logged "send_batch_failed"
    assert(shared.cluster:fault("node-3", "refuse", false))
    assert.equal(1, #lines)
    for _, key in ipairs(lines[1].failed_keys) do assert.equal("node-3", owners[client:partition_of(key) + 1], key) end
  end)
end, { "sim://3" })

describe("the events of a client", function()
  local client
  before_each(function() client = wingman.client { server = "ws://127.0.0.1:1", log_to = function() end } end)
  after_each(function() client:close() end)

  it("are refused when there is none of the name", function()
    assert.error_matches(function() client:on("node_lots", print) end, "client:on: there is no event 'node_lots'; did you mean 'node_lost'%?")
    assert.error_matches(function() client:off("stat", print) end, "client:off: there is no event 'stat'; did you mean 'state'%?")
    assert.error_matches(function() client:map "m":on("chang", print) end, "map:on: there is no event 'chang'; did you mean 'change'%?")
    local ok, err = pcall(function() client:on("x", print) end)
    assert.is_false(ok)
    assert.truthy(err:find("^[^\n]*callbacks_spec.lua:%d+: "), err)
    for name in pairs(events) do assert.truthy(err:find(name, 1, true), name) end
    client:on("state", print)
    client:off("state", print)
  end)

  it("are all that the client emits, and all are in the reference", function()
    local emitted = {}
    for path in io.popen "find lua/wingman/client -name '*.lua' ! -name map.lua ! -name copy.lua ! -path '*/live/*'":lines() do
      for line in io.lines(path) do
        for name in line:gmatch 'self%.events:emit%(?%s*"([%w_]+)"' do emitted[name] = true end
        if line:find("ipairs { \"node_lost\"", 1, true) then
          for name in line:gmatch '"([%w_]+)"' do emitted[name] = true end
        end
      end
    end
    local page = files.read "docs/reference/events.md"
    for name in pairs(emitted) do assert.truthy(events[name], name .. " is emitted and not in wingman.client.events") end
    for name in pairs(events) do
      assert.is_true(emitted[name] == true, name .. " is never emitted")
      assert.truthy(page:find("| `" .. name .. "` |", 1, true), name .. " is not in docs/reference/events.md")
    end
  end)
end)

-- What fn writes to standard error.
local function stderr_of(fn)
  local stderr, written = io.stderr, {}
  io.stderr = { write = function(_, ...) for i = 1, select("#", ...) do written[#written + 1] = tostring(select(i, ...)) end end }
  local ok, err = pcall(fn)
  io.stderr = stderr
  assert.is_true(ok, err)
  return table.concat(written)
end

describe("the log without log_to", function()
  it("has nothing that a terminal would obey", function()
    local client = wingman.client { server = "ws://127.0.0.1:1" }
    local text = stderr_of(function() client.options.log_to("warn", "node_lost", { node = "n\27[31m", reasons = { "a\27b" } }) end)
    client:close()
    assert.equal("wingman: warn node_lost node=n\\027[31m reasons=a\\027b\n", text)
  end)
end)

describe("a log_to that raises", function()
  it("ends nothing", function()
    local calls = 0
    local client = wingman.client { server = "ws://127.0.0.1:1", start_timeout = 1, reconnect = "never",
      log_to = function() calls = calls + 1 error "the log is full" end }
    local text = stderr_of(function() return client:start() end)
    client:close()
    assert.is_true(calls >= 1)
    assert.truthy(text:find("log_to_failed", 1, true), text)
    assert.truthy(text:find("the log is full", 1, true), text)
    assert.truthy(text:find("node_given_up", 1, true), text)
  end)
end)

describe("a protected call", function()
  it("shows the way to an error without the frames below it", function()
    local function outer() local t = nil; return t.x end
    local ok, err = protected.call(function() return (outer()) end)
    assert.is_false(ok)
    assert.truthy(err:find("callbacks_spec.lua:%d+: attempt to index local 't'"), err)
    assert.truthy(err:find("in function 'outer'", 1, true), err)
  end)

  it("leaves errors that are no texts what they are", function()
    local thing = {}
    assert.same({ false, thing }, { protected.call(function() error(thing) end) })
  end)
end)
