--- Durations in scripts.
local duration = require "wingman.load.duration"

describe("a duration", function()
  it("is a number of seconds or a text with units", function()
    local expected = { ["30s"] = 30, ["1m30s"] = 90, ["250ms"] = 0.25, ["1h"] = 3600, ["1.5s"] = 1.5, ["10"] = 10, ["40us"] = 4e-5 }
    for text, seconds in pairs(expected) do assert.near(seconds, duration.parse(text), 1e-12, text) end
    assert.equal(2.5, duration.parse(2.5))
    assert.equal(0, duration.parse(0))
  end)

  it("is nothing else", function()
    for _, wrong in ipairs { "", "s", "10x", "10s5", "-3s", "1m 30s", "1e3s", "..s" } do
      assert.is_nil(duration.parse(wrong), wrong)
    end
    assert.is_nil(duration.parse(-1))
    assert.is_nil(duration.parse(math.huge))
    assert.is_nil(duration.parse {})
  end)

  it("names the option that is wrong", function()
    local ok, err = pcall(duration.check, "soon", "scenario 'a': duration")
    assert.is_false(ok)
    assert.truthy(err:find("scenario 'a': duration: a duration is expected", 1, true))
    assert.truthy(err:find("'soon'", 1, true))
  end)

  it("is written as people write it", function()
    assert.equal("250ms", duration.text(0.25))
    assert.equal("30s", duration.text(30))
    assert.equal("1m30s", duration.text(90))
    assert.equal("2m", duration.text(120))
  end)
end)
