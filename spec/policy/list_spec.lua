--- The one list of policies, and who takes them from it.
local client_rules = require "wingman.client.options.rules"
local commands = require "wingman.repl.commands"
local completion = require "wingman.repl.completion"
local files = require "spec.support.files"
local inspect = require "wingman.inspect"
local load_run = require "spec.support.load_run"
local policies = require "wingman.policy.list"
local wingman = require "wingman"

local here = debug.getinfo(1, "S").source:match "^@(.*)spec/policy/list_spec%.lua$"

-- The rule of an option such as map_requests.throttle.
local function rule_of(path)
  local outer, inner = path:match "^([%w_]+)%.?([%w_]*)$"
  local rule = client_rules.rules[outer]
  return inner == "" and rule or rule.group[inner]
end

local function joined(names, default)
  local list = {}
  for i, name in ipairs(names) do list[i] = ("`%s`%s"):format(name, name == default and " (default)" or "") end
  return table.concat(list, " ")
end

describe("the list of policies", function()
  it("has every module of lua/wingman/policy, and scripts have them as wingman.policy", function()
    local find = assert(io.popen(("ls '%slua/wingman/policy'"):format(here)))
    local kinds = {}
    for name in find:lines() do
      local kind = name:match "^(.*)%.lua$"
      if kind ~= "list" then
        assert.equal(require("wingman.policy." .. kind), wingman.policy[kind], kind)
        kinds[#kinds + 1] = kind
      end
    end
    find:close()
    local listed = { unpack(policies.names) }
    table.sort(listed)
    assert.same(listed, kinds)
  end)

  it("has a policy for each name, and what is no name is refused with what is near it", function()
    for kind, about in pairs(policies.kinds) do
      for _, name in ipairs(about.names) do assert.is_function(policies.policy(kind, name), kind .. " " .. name) end
      local own = function() end
      assert.equal(own, policies.policy(kind, own))
      assert.is_nil((policies.policy(kind, 5)))
    end
    assert.same({ nil, "one of direct, backup, forward or a function is expected, got 'dirct'; did you mean 'direct'?" },
      { policies.policy("routing", "dirct") })
    assert.same({ nil, "unknown option 'frist'; did you mean 'first'?" }, { policies.policy("reconnect", { frist = 1 }) })
    assert.equal(2, policies.policy("reconnect", { first = 2, jitter = 0 })({}, 1))
  end)

  it("is what the options of a client go by", function()
    for kind, about in pairs(policies.kinds) do
      local rule = rule_of(about.option)
      assert.same(#about.names > 0 and about.names or nil, rule.one_of, kind)
      assert.equal(about.settings, rule.group, kind)
      assert.equal(about.default, rule.default, kind)
    end
  end)

  it("is what the prompt offers and a running client takes", function()
    assert.same({ "routing", "reconnect", "endpoint" }, policies.changeable)
    assert.equal("routing|reconnect|endpoint EXPR", commands.list.policy.arguments)
    local line = 'wingman.client { routing = "'
    local _, candidates = completion.complete({ environment = {} }, line, #line)
    local names = { unpack(policies.kinds.routing.names) }
    table.sort(names)
    assert.same(names, candidates)
    assert.error_matches(function() inspect.policy({}, "circuit", "never") end, "one of routing, reconnect, endpoint is expected, got 'circuit'")
    assert.error_matches(function() inspect.policy({}, "routing", "dirct") end, "did you mean 'direct'")
  end)

  it("is what a file of policies may have, and the help of wingman run says so", function()
    local help = require("wingman.command.run").help
    for _, kind in ipairs(policies.of_a_file) do assert.truthy(help:find(kind .. " = ...", 1, true), kind .. " is not in: " .. help) end
    local file = load_run.file "return { routing = 'direct', rotuing = print }"
    local _, code, _, err = load_run.run(load_run.script [[executor = "shared-iterations", iterations = 1, exec = print]],
      { "--policy", file })
    assert.equal(2, code)
    assert.truthy(err:find("unknown option 'rotuing'; did you mean 'routing'?", 1, true), err)
  end)

  it("is the table of docs/policies.md", function()
    local page = files.read(here .. "docs/policies.md")
    for _, name in ipairs(policies.names) do
      local kind = policies.kinds[name]
      local row = ("| %s | `%s` | %s | %s |"):format(name, kind.option, kind.decides, joined(kind.names, kind.default)):gsub("  |", " |")
      assert.truthy(page:find(row, 1, true), "docs/policies.md does not have: " .. row)
      for setting in pairs(kind.settings or {}) do
        assert.truthy(page:match("\n| " .. name .. " |[^\n]*`" .. setting .. "`"), name .. ": " .. setting .. " is not in its row")
      end
    end
  end)
end)
