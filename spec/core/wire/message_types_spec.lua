--- The one list of message types (core/wire/message_type.h), and who takes them from it.
local core = require "wingman.core"
local files = require "spec.support.files"

local here = debug.getinfo(1, "S").source:match "^@(.*)spec/core/wire/message_types_spec%.lua$"
local types = core.message_types

-- "path: text" for every match of a pattern in the files of a folder that is of no type, or, with
-- `listed`, of one.
local function found(folder, ending, pattern, listed)
  local list, find = {}, assert(io.popen(("find '%s%s' -name '*.%s' | sort"):format(here, folder, ending)))
  for path in find:lines() do
    for name in files.read(path):gmatch(pattern) do
      if (types[name] ~= nil) == listed then list[#list + 1] = path:sub(#here + 1) .. ": " .. name end
    end
  end
  find:close()
  return list
end

describe("the message types", function()
  it("are known by their names, and a type that is not listed stays what it is", function()
    for name in pairs(types) do
      assert.equal(name, (core.parse_message(core.encode { type = name })))
      assert.equal(name .. "2", (core.parse_message(core.encode { type = name .. "2" })))
    end
    assert.is_nil(types[""])
    assert.equal("", (core.parse_message(core.encode { type = "" })))
  end)

  it("are those that Lua sends and compares", function()
    assert.same({}, found("lua", "lua", "%.type%s*[=~]=%s*\"([A-Z][A-Z_]+)\"", false))
    assert.same({}, found("lua", "lua", "[{,]%s*type%s*=%s*\"([A-Z][A-Z_]+)\"", false))
  end)

  it("stand as texts in no C file but in the list", function()
    assert.same({}, found("core/client", "c", "\"([A-Z][A-Z_]+)\"", true))
    assert.same({}, found("core/net", "c", "\"([A-Z][A-Z_]+)\"", true))
    assert.same({}, found("core/wire", "c", "\"([A-Z][A-Z_]+)\"", true))
    assert.same({}, found("core/sim", "c", "\"([A-Z][A-Z_]+)\"", true))
  end)

  it("stand each in the page about the protocol", function()
    local page, missing = files.read(here .. "docs/protocol.md"), {}
    for name in pairs(types) do
      if not page:find("%f[%w_]" .. name .. "%f[^%w_]") then missing[#missing + 1] = name end
    end
    table.sort(missing)
    assert.same({}, missing)
  end)
end)
