--- The one list of log levels, and who takes them from it.
local commands = require "wingman.repl.commands"
local log_levels = require "wingman.loop.log_levels"
local steering = require "wingman.load.control.steering"

describe("log levels", function()
  it("rise from debug to error", function()
    assert.same({ debug = 1, info = 2, warn = 3, error = 4 }, log_levels.rank)
  end)

  it("are those that a run's log takes, and the prompt's", function()
    for _, name in ipairs(log_levels.names) do assert.is_true(steering.check_level(name)) end
    assert.same({ nil, "log: debug, info, warn or error is expected" }, { steering.check_level "loud" })
    assert.equal("debug|info|warn|error|off", commands.list.log.arguments)
    assert.same({ "debug", "info", "warn", "error", "off" }, commands.list.log.takes[1])
  end)
end)
