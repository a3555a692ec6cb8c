--- A process that forks: its child shares sockets, poll descriptor and child processes, and
--- can break none of them.
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local sim = require "wingman.sim"

--- Seconds for what takes milliseconds, on a machine that is busy.
local PATIENCE = 60

describe("A forked child", function()
  local cluster
  setup(function() cluster = assert(sim.start { nodes = 1 }) end)
  teardown(function() cluster:stop() end)

  --- What the child does, what it says, and what it ends with.
  for what, case in pairs {
    ["that closes the client"] = { "client:close()" },
    ["that unloads Wingman"] = { "require('wingman').unload()" },
    ["that has a client of its own then"] = { [[
      require("wingman").unload()
      local own = require "wingman"
      own.run(function()
        local mine = own.client { server = arg[1], auth = { token = arg[2] } }
        assert(mine:start())
        assert(mine:map("m"):set("child", 1))
        assert(mine:drain(60))
        mine:close()
      end)]] },
    ["that is collected"] = { "client, map = nil, nil collectgarbage() collectgarbage()" },
    ["that ends as a script does"] = { "ends_in_order = true" },
    ["that turns the loop"] = { "said(tostring(select(2, pcall(require('wingman').step, 1000))):match('this process was forked'))",
      "this process was forked\n" },
    ["that waits for a write"] = { "map:set('child', 1) client:drain(1)", "", 1, "this process was forked" },
  } do
    it(what .. " breaks nothing of its parent's", function()
      local child = assert(process.spawn {
        file = process.wingman_path(), args = { "run", "-", cluster.urls[1], cluster.token }, stdin = true, stderr = true,
      })
      child:write(([[
        local ffi = require "ffi"
        ffi.cdef "int fork(void); void _exit(int code); int waitpid(int pid, int *status, int options);"
        local wingman = require "wingman"
        local function said(text) io.stdout:write(text, "\n") io.stdout:flush() end
        local client = wingman.client { server = arg[1], auth = { token = arg[2] }, heartbeat = { interval = 0.1, timeout = 60 } }
        local lost, ends_in_order
        client:on("node_lost", function(node) lost = node.reason end)
        local of_parent = require("wingman.loop.process").spawn { file = "sleep", args = { "100" } }
        wingman.run(function()
          assert(client:start())
          local map = client:map "m"
          assert(map:set("before", 1))
          assert(client:drain(60))
          local pid = ffi.C.fork()
          if pid == 0 then
            local ok, err = pcall(function() %s end)
            if not ok then said(err) end
            if ends_in_order then os.exit(0, true) end
            ffi.C._exit(0)
          end
          local status = ffi.new "int[1]"
          assert(ffi.C.waitpid(pid, status, 0) == pid)
          said("child ended with " .. bit.rshift(status[0], 8))
          for i = 1, 20 do
            assert(map:set("after" .. i, i))
            assert(client:drain(60))
          end
          said("lost " .. tostring(lost))
          said("sleeps " .. tostring(of_parent:kill "SIGTERM"))
          client:close()
        end)
      ]]):format(case[1]))
      child:close_stdin()
      local ended = loop.spawn(child.wait, child, PATIENCE)
      local code, signal = ended:wait()
      local out, err = child:read_all(PATIENCE), child:read_all(PATIENCE, "stderr")
      child:close()
      assert.same({ code = 0 }, { code = code, signal = signal })
      if case[4] then assert.truthy(err:find(case[4], 1, true), err) else assert.equal("", err) end
      assert.equal(("%schild ended with %d\nlost nil\nsleeps true\n"):format(case[2] or "", case[3] or 0), out)
    end)
  end
end)
