--- What a virtual user is given.
local load_run = require "spec.support.load_run"

describe("a virtual user", function()
  after_each(load_run.clean)

  it("takes durations as texts wherever it waits, and refuses what is none where it stands", function()
    local _, code, out, err = load_run.run [[
      local load = require "wingman.load"
      return load.test {
        cluster = "sim://1", connections = "per-vu", thresholds = { checks = { "rate==1" }, iteration_duration = { "min>=1ms", "max<1h" } },
        scenarios = { s = { executor = "per-vu-iterations", vus = 1, iterations = 1, exec = function(vu)
          vu:sleep "1ms"
          vu:sleep(-1)
          vu:check("connected", vu:connect "1m")
          vu:check("acknowledged", vu:wait(vu:map "m":set("k", 1), nil, "1m"))
          local _, late = vu:receive("NEVER_SENT", "1ms")
          vu:check("nothing came", late.code == "TIMEOUT")
          for name, call in pairs {
            ["vu:sleep"] = function() vu:sleep "soon" end, ["vu:wait"] = function() vu:wait(1, nil, "soon") end,
            ["vu:connect"] = function() vu:connect "soon" end, ["vu:receive"] = function() vu:receive("X", "soon") end,
            ["vu:request"] = function() vu:request({ type = "PING" }, "PONG", "soon") end,
          } do
            local ok, message = pcall(call)
            print(message)
            vu:check(name, not ok and message:find("^stdin:%d+: " .. name .. ": a duration is expected .*, got 'soon'$"))
          end
        end } },
      } ]]
    assert.equal(0, code, out .. err)
  end)
end)
