--- The one list of the core's statuses (core/base/status.h), and who takes them from it.
local core = require "wingman.core"
local emitter = require "wingman.base.emitter"
local errors = require "wingman.base.error"
local map = require "wingman.client.map"

local here = debug.getinfo(1, "S").source:match "^@(.*)spec/core/binding/statuses_spec%.lua$"

-- Each status once; the core has it under its number, its name and its text.
local function all()
  local list = {}
  for key, status in pairs(core.statuses) do
    if key == status.name then list[#list + 1] = status end
  end
  table.sort(list, function(a, b) return a.number > b.number end)
  return list
end

-- A map whose core refuses every write with one status.
local function refusing_map(status)
  local function refuse() return nil, status.text, "a.b" end
  local core_map = { set = refuse, remove = refuse, resend = refuse, size_limit = function() return 10, 20 end }
  core_map.pointer = function() return nil end
  local client = {
    core = { map = function() return core_map end },
    options = { oplog = { when_full = "fail", node_share = 0.5 } },
    sync = function() return true end,
    pending_ops = function() return 7 end,
    emitter = function(_, names) return emitter.new { names = names } end,
  }
  return map.new(client, "m")
end

describe("the core's statuses", function()
  it("are found by number, name and text, and no two share one of them", function()
    local list = all()
    assert.is_true(#list >= 11, #list .. " statuses")
    local entries = 0
    for _ in pairs(core.statuses) do entries = entries + 1 end
    assert.equal(3 * #list, entries)
    for _, status in ipairs(list) do
      assert.is_true(status.number <= -100, status.name)
      for _, field in ipairs { "number", "name", "text" } do assert.equal(status, core.statuses[status[field]], status.name) end
    end
  end)

  it("have each an error code that Wingman has", function()
    for _, status in ipairs(all()) do assert.is_string(errors.codes[status.code], status.name) end
  end)

  it("are the errors of a map's writes, with that code", function()
    for _, status in ipairs(all()) do
      local refusing = refusing_map(status)
      for write, value in pairs { set = 1, remove = false, resend = false } do
        local seq, err = refusing[write](refusing, "k", value or nil)
        assert.same({ nil, status.code, "m", "k" }, { seq, err.code, err.map, err.key }, write .. ": " .. status.name)
        assert.truthy(err.message:find("map 'm', key 'k'", 1, true), err.message)
      end
    end
  end)

  it("are numbers in no Lua file", function()
    local find = assert(io.popen(("grep -rnE -e '-1(0[0-9]|1[0-9])\\b' '%slua' --include=*.lua"):format(here)))
    local found = find:read "*a"
    find:close()
    assert.equal("", found)
  end)
end)
