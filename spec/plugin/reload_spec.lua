--- Wingman as it is installed, loaded again and again in one Lua state.
local clusters = require "spec.support.cluster"
local installed = require "spec.support.installed"

local run = installed.run

clusters.on_each(getfenv(1), "a host that reloads", function(shared, it)
  local env, remove
  setup(function() env, remove = installed.new(shared.cluster) end)
  teardown(function() if remove then remove() end end)

  local in_foreign_host = installed.it_in(it, pending)

  local times = 400
  in_foreign_host("luajit", ("is loaded %d times and leaves nothing behind"):format(times), function()
    local code, out, err = run("luajit", {
      "spec/support/reload_host.lua", env.WINGMAN_PREFIX, env.WINGMAN_CLUSTER, env.WINGMAN_TOKEN, tostring(times),
    })
    assert.same({ 0, "" }, { code, err })
    local fds_before, rss_before = out:match "left%s+(%d+)%s+(%d+)"
    local fds_after, rss_after = out:match ".*left%s+(%d+)%s+(%d+)"
    assert.equal(fds_before, fds_after)
    -- A kilobyte for each time after the first 50 would be one too many; it is 0 in all.
    assert.is_true(rss_after - rss_before < times - 50, ("%d KiB more"):format(rss_after - rss_before))
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
