--- What the code has a list of is on the page that explains it, and nothing else is.
local command = require "wingman.command.load"
local errors = require "wingman.base.error"
local exit_codes = require "wingman.report.exit_codes"
local files = require "spec.support.files"
local prompt_commands = require "wingman.repl.commands"
local report = require "wingman.report"
local scenario = require "wingman.load.scenario"
local server_error = require "wingman.client.incoming.server_error"
local sorted = require "wingman.base.sorted"

-- What a command prints, both streams.
local function output_of(arguments)
  local child = assert(io.popen(("%s %s 2>&1"):format(require("wingman.loop.process").wingman_path(), arguments)))
  local text = child:read "*a"
  child:close()
  return text
end

-- Fails with every name for which the page has no such text.
local function expect_on(path, names, text_of)
  local page, missing = files.read(path), {}
  for _, name in ipairs(names) do
    if not page:find(text_of(name), 1, true) then missing[#missing + 1] = text_of(name) end
  end
  if #missing > 0 then error(path .. " does not have: " .. table.concat(missing, ", "), 0) end
end

local function code(name) return "`" .. name .. "`" end

-- All matches of a pattern in files, as a set.
local function found_in(paths, pattern)
  local found = {}
  for path in assert(io.popen(paths)):lines() do
    for match in files.read(path):gmatch(pattern) do found[match] = true end
  end
  return found
end

describe("docs/troubleshooting.md", function()
  local page = "docs/troubleshooting.md"
  local known = {}
  for _, list in ipairs { errors.codes, server_error.codes } do
    for name in pairs(list) do known[name] = true end
  end

  it("has a section for every error code, and for no other", function()
    expect_on(page, sorted.keys(known), function(name) return "\n### " .. name .. "\n" end)
    for name in files.read(page):gmatch "\n### ([^\n]+)" do assert(known[name], "no error has the code " .. name) end
  end)

  it("says of each what to do, and what became of the data", function()
    local sections, name, lacking = {}, nil, {}
    for line in io.lines(page) do
      if line:match "^#" then name = line:match "^### (.*)$" end
      if name then sections[name] = (sections[name] or "") .. line end
    end
    for code_name, text in pairs(sections) do
      if not (text:find("*Do*:", 1, true) and text:find("*Data*:", 1, true)) then lacking[#lacking + 1] = code_name end
    end
    assert(next(sections), "there are no sections")
    assert(#lacking == 0, "*Do*: or *Data*: is missing for " .. table.concat(lacking, ", "))
  end)

  it("is about every code that the Lua files make errors with: all are listed", function()
    local lua = "find lua -name '*.lua'"
    for _, pattern in ipairs { 'errors?%.new%(%s*"([A-Z_]+)"', '[^%w_]failed%("([A-Z_]+)"', 'M%.new%("([A-Z_]+)"' } do
      local found = found_in(lua, pattern)
      assert(next(found), "nothing is found by " .. pattern)
      for name in pairs(found) do assert(known[name], name .. " is in neither list of codes") end
    end
  end)

  it("has every code that load tests count besides", function()
    expect_on(page, sorted.keys(found_in("find lua/wingman/load -name '*.lua'", 'count_error%(?%s*"([A-Z_]+)"')), code)
  end)

  it("has every warning", function()
    local warnings = found_in("find lua/wingman -name 'warnings.lua'", 'warning%(%s*"([A-Z_]+)"')
    assert(next(warnings), "no warnings are found")
    expect_on(page, sorted.keys(warnings), code)
  end)

  it("has every reason of the end of a connection", function()
    local reasons = found_in("find core -name end_reason.h", 'X%([A-Z_]+, "([a-z_]+)"')
    assert(next(reasons), "no reasons are found")
    expect_on(page, sorted.keys(reasons), code)
  end)

  it("has every log line that a user sees", function()
    for level, example in pairs { warn = "send_batch_failed", error = "routing_policy" } do
      local lines = found_in("find lua -name '*.lua'", 'log[%w_]*%([^"\n]*"' .. level .. '",%s*"([a-z_]+)"')
      assert(lines[example], "no log lines are found")
      expect_on(page, sorted.keys(lines), code)
    end
  end)
end)

describe("docs/load-testing.md", function()
  local page = "docs/load-testing.md"

  it("has every executor with its options", function()
    local ok, wrong = pcall(scenario.check, "x", { executor = "none" })
    assert.is_false(ok)
    local executors = wrong:match "one of (.-) is expected"
    for name in executors:gmatch "[%w-]+" do
      expect_on(page, { name }, code)
      local row = assert(files.read(page):match("\n| `" .. name:gsub("%-", "%%-") .. "` |([^\n]+)"))
      local module = require("wingman.load.executor." .. name:gsub("%-", "_"))
      for option, rule in pairs(module.options) do
        assert(row:find(code(option), 1, true), name .. ": " .. option .. " is not in its row")
        local is_bold = row:find("**" .. code(option) .. "**", 1, true) ~= nil
        assert.equal(rule.required or false, is_bold, name .. ": " .. option .. ", bold when it is needed")
      end
    end
  end)

  it("has every field of a test", function()
    local rows = files.read(page):match "\n| field | means |(.-)\n\n"
    for name in pairs(require("wingman.load.options").rules) do
      assert(rows:find("`" .. name .. "`", 1, true), name .. " is missing")
    end
  end)

  it("has every option that all scenarios have", function() expect_on(page, sorted.keys(scenario.common), code) end)

  it("has every option of wingman run and of wingman bench", function()
    local function flag(name) return "--" .. name:gsub("_", "-") end
    expect_on(page, sorted.keys(command.RULES), flag)
    local bench = {}
    for name in output_of "bench --help":gmatch "\n  %-%-([%a-]+)" do bench[#bench + 1] = name end
    assert(#bench > 8, "bench --help shows no options")
    for i = #bench, 1, -1 do -- those for tokens, TLS and proxies have a page of their own
      if output_of "probe --help":find("--" .. bench[i], 1, true) then table.remove(bench, i) end
    end
    expect_on(page, bench, flag)
  end)

  it("has every exit code", function()
    local codes = {}
    for _, number in pairs(exit_codes) do
      if type(number) == "number" then codes[#codes + 1] = tostring(number) end
    end
    local table_text = files.read(page):match "\n## Exit codes\n(.-)\n## "
    for _, number in ipairs(codes) do assert(table_text:find("%f[%d]" .. number .. "%f[%D]"), number .. " is missing") end
  end)

  it("has every action of a planned fault", function()
    local _, wrong = pcall(require("wingman.load.control.planned_faults").check, { { at = 1 } }, {})
    local actions = {}
    for action in wrong:match("what is to happen%? (.*)$"):gsub(" or ", ", "):gmatch "%a+" do actions[#actions + 1] = action end
    assert(#actions > 8, wrong)
    local rows = files.read(page):match "\n## Planned faults\n(.-)\n## "
    for _, action in ipairs(actions) do
      assert(rows:find("`" .. action .. "`", 1, true) or rows:find("`" .. action .. " =", 1, true), action .. " is missing")
    end
  end)

  it("has every format of a report", function()
    expect_on(page, report.formats(), function(form) return "| `" .. form .. "` |" end)
  end)
end)

describe("docs/prompt.md", function()
  it("has every command", function()
    expect_on("docs/prompt.md", sorted.keys(prompt_commands.list), function(name) return "`." .. name end)
  end)
end)

describe("docs/simulated-clusters.md", function()
  local page = "docs/simulated-clusters.md"

  it("has every option of wingman sim", function()
    local options = {}
    for name in output_of "sim --help":gmatch "\n  %-%-([%a-]+)" do options[#options + 1] = name end
    assert(#options > 10)
    expect_on(page, options, function(name) return "`--" .. name end)
  end)

  it("has every fault and every order", function()
    local faults = found_in("find core/sim -name control_fault.c", '\n    {"([a-z-]+)", "[^"]*", %d')
    assert(faults["ack-drop"], "no faults are found")
    expect_on(page, sorted.keys(faults), function(name) return "`" .. name end)
    local orders = found_in("find core/sim -name control.c", '\n    {"([a-z-]+)", %d, ')
    assert(orders.kill, "no orders are found")
    expect_on(page, sorted.keys(orders), function(name) return "`" .. name end)
  end)
end)

describe("docs/getting-started.md", function()
  it("has every command of the executable", function()
    local commands = {}
    for name in output_of "--help":gmatch "\n  ([%l-]+) +[%u%l|%[]" do commands[#commands + 1] = name end
    assert(#commands >= 9, "the help lists no commands")
    expect_on("docs/getting-started.md", commands, function(name) return "wingman " .. name end)
  end)
end)
