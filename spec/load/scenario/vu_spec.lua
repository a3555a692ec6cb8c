--- What a virtual user is given.
local load_run = require "spec.support.load_run"

describe("a virtual user", function()
  after_each(load_run.clean)

  it("takes durations as texts wherever it waits, and refuses what is none where it stands", function()
    local _, code, out, err = load_run.run [[
      local load = require "wingman.load"
      return load.test {
        cluster = "sim://1", connections = "per-vu", thresholds = { checks = { "rate==1" }, messages_dropped = "count==0", iteration_duration = { "min>=1ms", "max<1h" } },
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

  it("inserts new keys, which it chooses once they are acknowledged, and uses again what failed", function()
    local _, code, out, err = load_run.run [[
      local load = require "wingman.load"
      return load.test {
        cluster = "sim://1", client = { oplog = { max_ops = 1, when_full = "fail" } }, thresholds = { checks = { "rate==1" } },
        scenarios = { s = { executor = "per-vu-iterations", vus = 1, iterations = 1, keys = { count = 10, distribution = "latest" }, exec = function(vu)
          local function newest()
            local most = 0
            for _ = 1, 200 do most = math.max(most, tonumber(vu:key():match "%d+")) end
            return most
          end
          local cluster, given = vu.client:cluster(), nil
          assert(cluster:pause "node-1")
          local key, why = vu:insert("m", 1, "10ms")
          vu:check("is not acknowledged", key == nil and why.code == "TIMEOUT")
          key, why = vu:insert("m", function(name) given = name return 2 end)
          vu:check("is refused", key == nil and why.code == "LOG_FULL" and given == "key-11")
          vu:check("is not chosen", newest() == 10)
          assert(cluster:resume "node-1")
          assert(vu.client:drain "60s")
          vu:check("is there", vu:insert("m", 3) == "key-11" and vu:map "m":read "key-11" == 3)
          vu:check("is chosen", newest() == 11)
          vu:check("counts as there without a write", vu:new_key() == "key-12" and newest() == 12)
        end }, keyless = { executor = "per-vu-iterations", vus = 1, iterations = 1, exec = function(vu)
          for name, call in pairs { key = function() vu:key() end, new_key = function() vu:new_key() end, insert = function() vu:insert("m", 1) end,
            } do
            local ok, message = pcall(call)
            vu:check(name, not ok and message:find("^stdin:%d+: scenario 'keyless': vu:" .. name .. "%(%) needs keys"))
          end
          local ok, message = pcall(function() vu:query("m", { limt = 1 }) end)
          vu:check("query", not ok and message:find "^stdin:%d+: client:query: ")
        end } },
      } ]]
    assert.equal(0, code, out .. err)
  end)
end)
