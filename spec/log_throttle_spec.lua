local log_throttle = require "wingman.log_throttle"
local loop = require "wingman.loop"

describe("log throttle", function()
  it("passes one line of a kind a second, with how many it held back", function()
    local now, lines = 100, {}
    local real_now = loop.now
    loop.now = function() return now end
    local log = log_throttle.new(function(level, event, fields) lines[#lines + 1] = { level, event, fields.repeated } end)
    for _ = 1, 5 do log("warn", "a", {}, "a") end
    log("info", "b", {}, "b")
    now = 101.5
    log("warn", "a", {}, "a")
    now = 103
    log("warn", "a", {}, "a")
    loop.now = real_now
    assert.same({ { "warn", "a", nil }, { "info", "b", nil }, { "warn", "a", 4 }, { "warn", "a", nil } }, lines)
  end)
end)
