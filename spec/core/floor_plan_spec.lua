-- The structure of core/: which folder may use which, and nothing in a circle.
local floor_plan = require "spec.support.floor_plan"

local here = debug.getinfo(1, "S").source:match "^@(.*)spec/core/floor_plan_spec%.lua$"

-- From the ground up. A folder uses itself and what stands before it.
local FLOORS = {
  "base", "wire", "cluster", "oplog/file", "oplog", "replica", "replica/saved", "net", "client/parts", "client", "client/traffic", "os",
  "binding/values", "binding/os", "binding/client", "binding",
  "sim/wire", "sim/model", "sim/session", "sim/server", "sim/control", "relay", "host", "fuzz",
}
local MOST = 15

describe("the floor plan", function()
  it("of core/ has no arrow up, no circle, and no folder of more than 15 units", function()
    local files = floor_plan.read(here .. "core", "*.[ch]")
    assert.is_truthy(next(files), "no C file was found in " .. here .. "core")
    assert.equal("", table.concat(floor_plan.problems(files, FLOORS, MOST), "\n"))
  end)

  local function problems(files, most) return floor_plan.problems(files, { "low", "high" }, most or MOST) end

  it("lets a floor use the floors below it, and itself", function()
    assert.same({}, problems {
      ["low/a.h"] = "int a(void);\n", ["low/a.c"] = '#include "low/a.h"\nint a(void)\n{\n}\n',
      ["high/b.c"] = '#include "low/a.h"\nint b(void)\n{\n    return a();\n}\n',
      ["high/c.c"] = "int b(void);\nint c(void)\n{\n    return b();\n}\n",
    })
  end)

  it("finds an include of a floor above", function()
    assert.same({ "low/a uses high/b.h of high/b, a floor above its own" },
      problems { ["low/a.c"] = '#include "high/b.h"\n', ["high/b.h"] = "" })
  end)

  it("finds a call of a floor above, declared by the caller", function()
    assert.same({ "low/a uses b of high/b, a floor above its own" },
      problems { ["low/a.c"] = "int b(void);\nstatic int a(void)\n{\n    return b();\n}\n", ["high/b.c"] = "int b(void)\n{\n}\n" })
  end)

  it("finds the use of a floor above's data", function()
    assert.same({ "low/a uses rows of high/b, a floor above its own" },
      problems { ["low/a.c"] = "extern const int rows[];\nconst int *a(void)\n{\n    return rows;\n}\n", ["high/b.c"] = "const int rows[] = {1};\n" })
  end)

  it("finds a circle of calls, and what ties it", function()
    assert.same({ "circle of low/a, low/b:\n  low/a uses b of low/b\n  low/b uses a of low/a" },
      problems { ["low/a.c"] = "int a(void)\n{\n    return b();\n}\n", ["low/b.c"] = "int b(void)\n{\n    return a();\n}\n" })
  end)

  it("takes no comment for a call", function()
    assert.same({}, problems { ["low/a.c"] = "/* as b(x) */\n// b(x)\n", ["high/b.c"] = "int b(void)\n{\n}\n" })
  end)

  it("finds a header without its folder", function()
    assert.same({ 'low/a.c includes "b.h", which no folder has: name it with its folder' },
      problems { ["low/a.c"] = '#include "b.h"\n', ["low/b.h"] = "" })
  end)

  it("finds a folder that has no place, and one that is too large", function()
    assert.same({ "new/a stands in the folder 'new', which has no place in the order of floors",
      "the folder 'low' has 2 units, and at most 1 are allowed" },
      problems({ ["new/a.c"] = "", ["low/b.c"] = "", ["low/c.c"] = "" }, 1))
  end)
end)
