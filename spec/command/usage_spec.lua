--- What all commands have in common: their help, and how they refuse a wrong command line.
local arguments = require "wingman.options.arguments"
local load_run = require "spec.support.load_run"
local process = require "wingman.loop.process"
local sorted = require "wingman.base.sorted"

-- The module of each command that reads its options by rules.
local MODULES = {
  run = "run", bench = "bench", repl = "repl_arguments", ctl = "ctl", probe = "probe", report = "report", oplog = "oplog", sim = "sim",
}

local function wingman(...)
  return load_run.finish(assert(process.spawn { file = process.wingman_path(), args = { ... }, stderr = true }))
end

-- The words of a help that are options, without those of other commands.
local function flags_in(help)
  local flags = {}
  for word in help:gsub("see wingman [^\n]+", ""):gsub("`[^`]+`", ""):gmatch "%f[^%s`,]%-%-?%a[%w-]*" do flags[word] = true end
  flags["--help"] = true
  return sorted.keys(flags)
end

describe("every command", function()
  after_each(load_run.clean)

  it("has each of its options in its help, and no other", function()
    for command, name in pairs(MODULES) do
      local module = require("wingman.command." .. name)
      assert.same(arguments.flags(module.RULES or module.rules()), flags_in(module.help), command)
    end
  end)

  it("says what is wrong in one form, says where its help is, and ends with 2", function()
    for command in pairs(MODULES) do
      local code, help, err = wingman(command, "--help")
      assert.same({ 0, "" }, { code, err }, command)
      assert.truthy(help:find("usage: wingman " .. command, 1, true), help)
      local out
      code, out, err = wingman(command, "--hlep")
      assert.same({ 2, "", ("wingman %s: unknown option '--hlep'; did you mean '--help'?\nsee wingman %s --help\n"):format(command, command) },
        { code, out, err })
    end
  end)

  it("refuses as the scripts do that have options", function()
    for _, name in ipairs { "soak", "chaos", "quickstart", "bench/oplog" } do
      local script = ("scripts/%s.lua"):format(name)
      local code, help = wingman("run", script, "--help")
      assert.equal(0, code)
      assert.truthy(help:find("usage: wingman run " .. script, 1, true), help)
      assert.same({ 2, "", ("wingman run %s: unknown option '--hlep'; did you mean '--help'?\nsee wingman run %s --help\n"):format(script, script) },
        { wingman("run", script, "--hlep") })
    end
  end)

  it("that needs more words than none says which", function()
    for command, wrong in pairs {
      run = "a script is missing", ctl = "a PATH is missing, and an order", probe = "a URL is missing",
      report = "show, diff or merge is expected", oplog = "inspect or salvage is expected",
    } do
      local code, out, err = wingman(command)
      assert.same({ 2, "", ("wingman %s: %s\nsee wingman %s --help\n"):format(command, wrong, command) }, { code, out, err })
    end
  end)
end)
