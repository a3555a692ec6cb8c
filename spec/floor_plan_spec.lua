--- The structure of lua/wingman: which folder may use which, and nothing in a circle.
local floor_plan = require "spec.support.floor_plan"

local here = debug.getinfo(1, "S").source:match "^@(.*)spec/floor_plan_spec%.lua$"

-- From the ground up. A folder uses itself and what stands before it; "." is lua/wingman itself.
local FLOORS = {
  "base", "options", "text", "loop", "policy", "cluster", "cluster/listening", "cluster/provider", "testbed/topgun", "testbed",
  "client/health", "client/query", "client/replica", "client/live", "client/options", "client/incoming", "client/methods", "client", ".", "inspect", "metrics",
  "report/model", "report/output", "report/plot", "report/html", "report/merge", "report/diff", "report",
  "load/input", "load/executor", "load/follow", "load/scenario", "load/control", "load", "load/workers",
  "repl", "repl/terminal", "command/load", "command",
}
local MOST = 15

describe("the floor plan", function()
  it("of lua/wingman has no require of a floor above, no circle, and no folder of more than 15 files", function()
    local files = floor_plan.read(here .. "lua/wingman", "*.lua")
    assert.is_truthy(files["init.lua"], "no Lua file was found in " .. here .. "lua/wingman")
    assert.equal("", table.concat(floor_plan.module_problems(files, FLOORS, MOST), "\n"))
  end)

  local function problems(files) return floor_plan.module_problems(files, { "low", ".", "high" }, 2) end

  it("lets a module require those below it, and of its own floor", function()
    assert.same({}, problems {
      ["low/a.lua"] = "", ["low/b.lua"] = 'local a = require "wingman.low.a"\nlocal core = require("wingman.core")\n',
      ["high/init.lua"] = 'local b = require "wingman.low.b"\n', ["high/c.lua"] = 'return require "wingman.high"\n',
    })
  end)

  it("finds a require of a floor above, inside a function, in a table of names, and of wingman itself", function()
    local low = "low/a uses wingman.high.b of high/b, a floor above its own"
    local high = { ["high/b.lua"] = "" }
    for _, line in ipairs { 'local function f() return require("wingman.high.b").x end\n', "local modules = { b = 'wingman.high.b' }\n" } do
      high["low/a.lua"] = line
      assert.same({ low }, problems(high))
    end
    assert.same({ "low/a uses wingman of init, a floor above its own" },
      problems { ["low/a.lua"] = 'local w = require "wingman"\n', ["init.lua"] = "" })
  end)

  it("finds a name that the code goes on with", function()
    assert.same({ "low/a uses wingman.high. of high/b, a floor above its own" },
      problems { ["low/a.lua"] = 'local function f(name) return require("wingman.high." .. name) end\n', ["high/b.lua"] = "" })
  end)

  it("finds a circle, and what ties it", function()
    assert.same({ "circle of low/a, low/b:\n  low/a uses wingman.low.b of low/b\n  low/b uses wingman.low.a of low/a" },
      problems { ["low/a.lua"] = 'require "wingman.low.b"\n', ["low/b.lua"] = 'local function f() require "wingman.low.a" end\n' })
  end)

  it("takes no comment for a require", function()
    assert.same({}, problems { ["low/a.lua"] = '--   local b = require "wingman.high.b"\nreturn 1 -- as "wingman.high.b"\n', ["high/b.lua"] = "" })
  end)

  it("finds a module that does not exist, a folder without a place, and one that is too large", function()
    assert.same({ "low/a.lua requires wingman.low.x, which is no module",
      "new/d stands in the folder 'new', which has no place in the order of floors",
      "the folder 'low' has 3 units, and at most 2 are allowed" },
      problems { ["low/a.lua"] = 'require "wingman.low.x"\n', ["low/b.lua"] = "", ["low/c.lua"] = "", ["new/d.lua"] = "" })
  end)
end)
