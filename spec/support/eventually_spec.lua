local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local wingman = require "wingman"

describe("eventually", function()
  it("returns what the condition returned when it came true", function()
    local looks = 0
    local function at_the_third_look()
      looks = looks + 1
      return looks == 3, looks, nil
    end
    assert.same({ n = 3, true, 3 }, { n = select("#", eventually("it is looked at", at_the_third_look)), true, looks })
  end)

  it("says what was awaited, from where, and what the condition returned last", function()
    local ok, message = pcall(eventually, "a pig flies", function() return false, { height = 0 }, "on\27the ground" end, 0)
    assert.is_false(ok)
    assert.matches("awaited for 0 s: a pig flies\n", message)
    assert.matches("from %S*spec/support/eventually_spec.lua:%d+\n", message)
    assert.matches("returned last: false, { height = 0 }, on\\027the ground", message, 1, true)
  end)

  it("lets an error of the condition through", function()
    assert.error_matches(function() eventually("it works", function() error "broken" end) end, "broken")
  end)

  it("shows each open client", function()
    local client = wingman.client { server = "ws://127.0.0.1:1", log_to = function() end }
    client:map("m"):set("key", 1)
    local _, message = pcall(eventually, "it connects", function() end, 0)
    client:close()
    assert.matches("client 1: DISCONNECTED, 0 nodes connected, map version none, backlog {.*pending = 1", message)
    _, message = pcall(eventually, "it connects", function() end, 0)
    assert.is_nil(message:find "client 1")
  end)
end)

clusters.on_each(getfenv(), "eventually", function(shared, it)
  it("shows each node of a client", function()
    shared:started()
    local _, message = pcall(eventually, "it works", function() end, 0)
    assert.matches("\n    node%-1 ws://%S+: ready, usable, circuit closed, 0 pending, 0 in flight, never lost\n", message)
  end)

  it("shows the last lines that the clients of a shared cluster logged", function()
    shared:client().options.log_to("warn", "a_spec_says", { key = "value" })
    local _, message = pcall(eventually, "it works", function() end, 0)
    assert.matches("the last 1 of 1 log lines:\n    warn a_spec_says { key = \"value\" }", message)
  end)
end, { "sim://1" })
