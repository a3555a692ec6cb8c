--- The one checker of option tables, and who uses it.
package.path = "scripts/?.lua;" .. package.path
local check = require "wingman.options.check"
local option_tables = require "reference.option_tables"

local RULES = {
  rate = { type = "number", min = 0, max = 10, required = true },
  count = { type = "number", whole = true, min = 1, default = 3 },
  wait = { type = "duration", min = 0, max = 60, default = 1 },
  form = { type = "string", one_of = { "plain", "packed" } },
  secret = { type = "table", secret = true },
  batch = { type = "table", default = {}, group = { ops = { type = "number", default = 5 } } },
  stages = { type = "table", each = { target = { type = "number", required = true } } },
  either = { type = "string|function" },
  words = { type = "table", expected = "a table of words", is_right = function(value) return value[1] ~= nil end },
}

describe("the checker of options", function()
  it("gives defaults, and durations in seconds, and leaves the given table as it is", function()
    local given = { rate = 1, wait = "250ms", stages = { { target = 1 } } }
    assert.same({ rate = 1, count = 3, wait = 0.25, batch = { ops = 5 }, stages = { { target = 1 } } }, check.read(RULES, given, "f"))
    assert.same({ rate = 1, wait = "250ms", stages = { { target = 1 } } }, given)
  end)

  it("says what is wrong, all in one form", function()
    for text, given in pairs {
      ["f: a table of options is expected, got number"] = 5,
      ["f: option rate is needed"] = {},
      ["f: unknown option 'cuont'; did you mean 'count'?"] = { cuont = 1 },
      ["f: unknown option '7'; there are batch, count, either, form, rate, secret, stages, wait, words"] = { [7] = 1 },
      ["f: unknown option 'batch.opps'; did you mean 'batch.ops'?"] = { rate = 1, batch = { opps = 1 } },
      ["f: option batch.ops: a number is expected, got nan"] = { rate = 1, batch = { ops = 0 / 0 } },
      ["f: option rate: a number from 0 to 10 is expected, got 11"] = { rate = 11 },
      ["f: option rate: a number from 0 to 10 is expected, got 'much'"] = { rate = "much" },
      ["f: option rate: a number from 0 to 10 is expected, got inf"] = { rate = 1 / 0 },
      ["f: option count: a whole number from 1 is expected, got 1.5"] = { rate = 1, count = 1.5 },
      ["f: option count: a whole number from 1 is expected, got inf"] = { rate = 1, count = 1 / 0 },
      ["f: option wait: a duration from 0ms to 1m is expected, got '2m'"] = { rate = 1, wait = "2m" },
      ["f: option wait: a duration is expected (\"30s\", \"1m30s\", \"250ms\" or a number of seconds), got 'soon'"] = { rate = 1, wait = "soon" },
      ["f: option form: one of plain, packed is expected, got 'pakced'; did you mean 'packed'?"] = { rate = 1, form = "pakced" },
      ["f: option secret: a table is expected, got string"] = { rate = 1, secret = "token" },
      ["f: option stages: a list of tables with target is expected"] = { rate = 1, stages = {} },
      ["f: option stages[2]: a table of options is expected, got number"] = { rate = 1, stages = { { target = 1 }, 2 } },
      ["f: option stages[1].target is needed"] = { rate = 1, stages = { {} } },
      ["f: unknown option 'stages[1].taget'; did you mean 'stages[1].target'?"] = { rate = 1, stages = { { taget = 1 } } },
      ["f: option either: a string or a function is expected, got 5"] = { rate = 1, either = 5 },
      ["f: option words: a table of words is expected, got table"] = { rate = 1, words = {} },
    } do
      assert.same({ nil, text }, { check.read(RULES, given, "f") })
    end
  end)

  it("raises at the caller of the given level", function()
    local function caller() check.check(RULES, {}, "f", 2) end
    local _, raised = pcall(function() caller() end)
    assert.truthy(raised:find "check_spec%.lua:%d+: f: option rate is needed", raised)
    _, raised = pcall(function() check.verify(RULES, { rat = 1 }, "f", 1) end)
    assert.truthy(raised:find "check_spec%.lua:%d+: f: unknown option 'rat'; did you mean 'rate'%?", raised)
    assert.error_matches(function() check.verify(RULES, { rate = 99 }, "f", 1) end, "f: option rate: a number from 0 to 10 is expected, got 99")
    assert.has_no_error(function() check.verify(RULES, { count = 1 }, "f", 1) end)
  end)
end)

describe("the rules of all option tables", function()
  local function each_rule(rules, prefix, fn)
    for name, rule in pairs(rules) do
      fn(prefix .. name, rule)
      for _, inner in ipairs { rule.group or {}, rule.each or {} } do each_rule(inner, prefix .. name .. ".", fn) end
    end
  end

  it("say what an option is for, and have defaults that pass", function()
    for _, one in ipairs(option_tables) do
      each_rule(one.rules, one.title .. ": ", function(name, rule)
        assert.is_string(rule.about, name)
        if rule.default ~= nil then
          local _, wrong = check.read({ option = rule }, {}, name)
          assert.is_nil(wrong)
        end
      end)
    end
  end)

  it("are the only place that unknown options are refused by", function()
    local find = assert(io.popen [[grep -rnE "unknown (option|field)" lua --include=*.lua]])
    local found = {}
    for line in find:lines() do
      local path = line:match "^[^:]+"
      local is_home = path == "lua/wingman/options/check.lua" or path == "lua/wingman/base/nearest.lua" -- of command lines
      if not is_home then found[#found + 1] = line end
    end
    find:close()
    assert.same({}, found)
  end)
end)
