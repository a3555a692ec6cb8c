--- What servers say reaches logs, errors and tables without anything that a terminal would
--- obey, and cannot begin a line.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local errors = require "wingman.base.error"
local escape = require "wingman.base.escape"
local eventually = require "spec.support.eventually"
local process = require "wingman.loop.process"
local server_error = require "wingman.client.incoming.server_error"
local sim_support = require "spec.core.sim.support"
local text_table = require "wingman.text.table"

local PATIENCE = 60
--- Clears the screen, begins a line, turns the text around, and is a C1 control.
local EVIL = "\27[2Jx\r\nwingman: error forged \226\128\174 \194\155 \7"

local function assert_plain(text, what)
  assert.is_nil(text:find "%c", what .. ": " .. ("%q"):format(text))
  assert.is_nil(text:find("\226\128\174", 1, true), what)
  assert.is_nil(text:find("\194\155", 1, true), what)
  assert.truthy(text:find("\\027[2Jx", 1, true), what .. ": " .. text)
end

describe("text from elsewhere", function()
  it("is plain in errors, whose own lines stay", function()
    assert_plain(errors.new("REFUSED", escape.plain(EVIL)).message, "message")
    assert.equal("a\n  b \\027[2Jc", errors.new("CLUSTER", "a\n\tb \27[2Jc").message)
    for _, message in ipairs {
      { type = "ERROR", payload = { code = 500, message = EVIL } },
      { type = "OP_REJECTED", payload = { opId = "x", reason = EVIL } },
      { type = "MERGE_REJECTED", reason = EVIL },
      { type = "ERROR", payload = { code = "NOT_OWNER", message = EVIL } },
    } do
      assert_plain(server_error.of(message).message, message.type)
    end
  end)

  it("is plain in tables", function() assert_plain(text_table.format({ { EVIL, 1 } }):sub(1, -2), "cell") end)
end)

clusters.on_each(getfenv(1), "What a server says", function(shared, it)
  local NODE = "node-2"

  local function send(kind, bytes) assert(shared.cluster:command(("send %s %s %s"):format(NODE, kind, sim_support.hex(bytes)))) end

  local function check_log(event)
    eventually(event .. " is logged", function() return shared:logged(event)[1] end)
    local found = false
    for name, value in pairs(shared:logged(event)[1]) do
      if type(value) == "string" and value:find("[2Jx", 1, true) then
        assert_plain(value, event .. "." .. name)
        found = true
      end
    end
    assert.is_true(found, event .. " does not say it")
  end

  it("is plain in log lines and events", function()
    local client = shared:started()
    local reported, lost
    client:on("server_error", function(err) reported = err end)
    client:on("node_lost", function(node) lost = node end)
    send("binary", core.encode { type = "ERROR", payload = { code = 500, message = EVIL } })
    check_log "server_error"
    eventually("the error is reported", function() return reported end)
    assert_plain(reported.message, "event")
    send("raw", "\136" .. string.char(2 + #EVIL) .. "\3\232" .. EVIL)
    eventually("the connection is lost", function() return lost end)
    assert_plain(lost.detail, "the reason of a close")
    assert_plain(clusters.node_of(client, NODE).last_detail or lost.detail, "health")
  end)

  it("is plain on standard error", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write(([[
      local loop = require "wingman.loop"
      local client = require("wingman").client { cluster = { seeds = { %q } }, auth = { token = %q } }
      assert(client:start())
      local reported
      client:on("server_error", function() reported = true end)
      io.stdout:write "ready\n"
      io.stdout:flush()
      loop.wait_until(function() return reported end, %d)
      client:close()
    ]]):format(shared.cluster.nodes[2].url, shared.cluster.token, PATIENCE))
    file:close()
    finally(function() os.remove(script) end)
    local child = assert(process.spawn { file = process.wingman_path(), args = { "run", script }, stderr = true })
    finally(function() child:close() end)
    assert.equal("ready", child:read_line(PATIENCE))
    send("binary", core.encode { type = "ERROR", payload = { code = 500, message = EVIL } })
    local line = assert(child:read_line(PATIENCE, "stderr"))
    while not line:find("server_error", 1, true) do line = assert(child:read_line(PATIENCE, "stderr")) end
    assert_plain(line, "standard error")
    child:wait(PATIENCE)
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
