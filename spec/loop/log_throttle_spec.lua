local virtual_time = require "spec.support.virtual_time"

describe("log throttle", function()
  it("passes one line of a kind a second, with how many it held back", function()
    local time, lines = virtual_time.new(), {}
    local log = time:require("wingman.loop.log_throttle").new(function(level, event, fields)
      lines[#lines + 1] = { level, event, fields.repeated }
    end)
    for _ = 1, 5 do log("warn", "a", {}, "a") end
    log("info", "b", {}, "b")
    time:pass(1.5)
    log("warn", "a", {}, "a")
    time:pass(1.5)
    log("warn", "a", {}, "a")
    assert.same({ { "warn", "a", nil }, { "info", "b", nil }, { "warn", "a", 4 }, { "warn", "a", nil } }, lines)
  end)
end)
