--- Wingman as it is installed, loaded again and again in one Lua state.
local clusters = require "spec.support.cluster"
local installed = require "spec.support.installed"

local run = installed.run

clusters.on_each(getfenv(1), "a host that reloads", function(shared, it)
  local env, remove
  setup(function() env, remove = installed.new(shared.cluster) end)
  teardown(function() if remove then remove() end end)

  local in_foreign_host = installed.it_in(it, pending)

  local times = 200
  in_foreign_host("luajit", ("is loaded %d times and leaves nothing behind"):format(times), function()
    local code, out, err = run("luajit", {
      "spec/support/reload_host.lua", env.WINGMAN_PREFIX, env.WINGMAN_CLUSTER, env.WINGMAN_TOKEN, tostring(times),
    })
    assert.same({ 0, "" }, { code, err })
    local fds, rss, growth = {}, {}, {}
    for descriptors, kilobytes in out:gmatch "left%s+(%d+)%s+(%d+)" do
      fds[#fds + 1], rss[#rss + 1] = descriptors, tonumber(kilobytes)
    end
    assert.equal(times / 25, #rss)
    assert.equal(fds[1], fds[#fds])
    for i = 2, #rss do growth[i - 1] = rss[i] - rss[i - 1] end
    table.sort(growth)
    -- What is kept of each load grows between any two figures; pools of LuaJIT and of malloc grow now and then, by
    -- 64 KiB and more. Usually there is no growth at all; two kilobytes for each load are too much.
    assert(growth[math.ceil(#growth / 2)] < 50, "resident KiB after every 25 loads: " .. table.concat(rss, " "))
  end)
end, { "sim://3" })
