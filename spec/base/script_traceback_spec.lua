local loop = require "wingman.loop"
local script_traceback = require "wingman.base.script_traceback"

local function fails() error "no such thing" end

-- Wingman's own files are those of lua/wingman; a chunk of that name stands for one.
local OWN = debug.getinfo(script_traceback.of, "S").source:match "^(@.*)script_traceback%.lua$"
local function in_own_file(text) return assert(loadstring(text, OWN .. "made_up.lua")) end

describe("a script's traceback", function()
  it("has the frames of the script, and none of Wingman's own", function()
    local ok, err = pcall(loop.run, function() fails() end)
    assert.is_false(ok)
    assert.truthy(err:find("no such thing\nstack traceback:\n", 1, true), err)
    assert.truthy(err:find("in function 'fails'", 1, true), err)
    assert.falsy(err:find("lua/wingman/", 1, true), err)
    assert.falsy(err:find("[C]", 1, true), err)
  end)

  it("points at the script's line for what one of our functions refused", function()
    local call = in_own_file "local f = ... error('an argument is wrong', 2)"
    local _, err = xpcall(function() call() return true end, script_traceback.of)
    assert.truthy(err:find("script_traceback_spec.lua:%d+: an argument is wrong"), err)
    assert.falsy(err:find("made_up", 1, true), err)
  end)

  it("has every frame when the mistake is our own", function()
    local broken = in_own_file "local t = nil return t.field"
    local _, err = xpcall(function() broken() return true end, script_traceback.of)
    assert.truthy(err:find("made_up.lua:1: attempt to index", 1, true), err)
    assert.truthy(err:find("made_up.lua:1: in ", 1, true), err)
  end)

  it("is added once, and to texts alone", function()
    local once = select(2, xpcall(fails, script_traceback.of))
    assert.equal(once, script_traceback.of(once))
    local object = { code = "X" }
    assert.equal(object, script_traceback.of(object))
  end)
end)
