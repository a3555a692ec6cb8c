--- The one list of built-in metrics.
local list = require "wingman.metrics.list"
local load_run = require "spec.support.load_run"

describe("the list of built-in metrics", function()
  after_each(load_run.clean)

  it("says of each its type, its unit, its tags and what it counts", function()
    local types = { trend = true, counter = true, gauge = true, rate = true }
    for name, metric in pairs(list) do
      assert.is_true(types[metric.type], name)
      assert.is_string(metric.unit, name)
      assert.truthy(metric.about:find "^%u.*[^.]$", name .. ": " .. metric.about)
      assert.is_table(metric.tags, name)
    end
  end)

  it("has every metric of a run, with the type and unit that its report and its HELP lines give", function()
    local prometheus = load_run.file ""
    local document = load_run.run(load_run.script [[executor = "per-vu-iterations", iterations = 5, exec = function(vu)
      vu:check("true", true)
      vu:group("g", function() vu:map "m":set("k", 1) end)
    end]], { "--out", "prometheus=" .. prometheus })
    for _, metric in ipairs(document.metrics) do
      local listed = assert(list[metric.name], metric.name .. " is not in the list")
      assert.same({ listed.type, listed.unit }, { metric.type, metric.unit }, metric.name)
    end
    local text = assert(io.open(prometheus)):read "*a"
    assert.truthy(text:find("# HELP wingman_unmatched_acks_total " .. list.unmatched_acks.about, 1, true), text)
    assert.is_nil(text:find("Of the script", 1, true))
  end)
end)
