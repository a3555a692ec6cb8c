--- Wingman as it is installed, in a C program with a tick.
local build = require "spec.support.build"
local clusters = require "spec.support.cluster"
local installed = require "spec.support.installed"

clusters.on_each(getfenv(1), "a host with a tick", function(shared, it)
  local env, remove
  setup(function() env, remove = installed.new(shared.cluster) end)
  teardown(function() if remove then remove() end end)

  it("works in a C program with a tick, in two Lua states at once", function()
    local plugin = "spec/support/patient_plugin.lua"
    local code, out, err = installed.run(build.folder .. "/tick_host", { "40", plugin, plugin }, env)
    assert.equal(0, code)
    local _, ticks = out:gsub("%d+\n", "")
    assert.equal(40, ticks)
    local acknowledged = {}
    for n in err:gmatch "(%d+) of 40 ticks acknowledged" do acknowledged[#acknowledged + 1] = tonumber(n) end
    assert.equal(2, #acknowledged, err)
    assert.same({ 40, 40 }, acknowledged, err)
    assert.truthy(err:find "another plugin has %d+ ticks", err)
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
