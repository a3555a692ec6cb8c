--- Hosts that are not our executable: Wingman as it is installed, in a plain LuaJIT, in
--- Lua 5.1, in a C program with a tick, on luv's loop; loaded again and again.
local build = require "spec.support.build"
local clusters = require "spec.support.cluster"
local process = require "wingman.loop.process"

local PATIENCE = 240

local function run(file, args, env)
  local child = assert(process.spawn { file = file, args = args, env = env, stderr = true })
  local out = assert(child:read_all(PATIENCE))
  local err = child:read_all(PATIENCE, "stderr") or ""
  local code = child:wait(PATIENCE)
  child:close()
  return code, out, err
end

local function exists(program) return os.execute("command -v " .. program .. " >/dev/null 2>&1") == 0 end

clusters.on_each(getfenv(1), "hosts", function(shared, it)
  local prefix, env

  setup(function()
    prefix = os.tmpname()
    os.remove(prefix)
    assert.equal(0, (run("cmake", { "--install", build.folder, "--prefix", prefix })))
    env = {
      WINGMAN_PREFIX = prefix, WINGMAN_CLUSTER = table.concat(shared.cluster.urls, ","), WINGMAN_TOKEN = shared.cluster.token,
    }
  end)
  teardown(function() os.execute("rm -rf " .. prefix) end)

  -- A sanitized module needs its runtime in the host; hosts that are there anyway have none.
  local function in_foreign_host(program, name, test)
    if build.is_sanitized then return pending(name .. " (skipped: " .. program .. " is built without sanitizers)") end
    if not exists(program) then return pending(name .. " (skipped: there is no " .. program .. ")") end
    it(name, test)
  end

  -- Starts, writes, reads; and says on standard error what it found changed in its process.
  local guest = [[
    local prefix = os.getenv "WINGMAN_PREFIX"
    package.path = prefix .. "/share/wingman/lua/?.lua;" .. prefix .. "/share/wingman/lua/?/init.lua;" .. package.path
    package.cpath = prefix .. "/lib/?.so;" .. package.cpath
    local function signals()
      local file = io.open "/proc/self/status"
      local text = file:read "*a"
      file:close()
      return text:match "SigBlk.-SigCgt:%s+%x+"
    end
    local globals, before = {}, signals()
    for name in pairs(_G) do globals[name] = true end
    local wingman = require "wingman"
    local urls = {}
    for url in os.getenv "WINGMAN_CLUSTER":gmatch "[^,]+" do urls[#urls + 1] = url end
    local client = wingman.client { cluster = { seeds = urls }, auth = { token = os.getenv "WINGMAN_TOKEN" } }
    assert(client:start())
    local map = client:map "guest"
    assert(map:set("flat", { x = 1, y = "z" }))
    assert(map:set("nested", { list = { 1, 2, 3 } }))
    assert(client:drain(60))
    assert(map:get "flat".y == "z" and map:get "nested".list[3] == 3)
    assert(client:query "guest")
    client:close()
    for name in pairs(_G) do assert(globals[name], "a global: " .. name) end
    assert(signals() == before, "signals")
  ]]

  -- What docs/plugins.md says of a Lua without an FFI.
  local without_ffi = [[
    for _, name in ipairs { "wingman.load", "wingman.loop.process" } do assert(not pcall(require, name), name) end
    for _, name in ipairs { "wingman.inspect", "wingman.repl.server" } do require(name) end
    local ok, err = wingman.client { cluster = "sim://3" }:start()
    assert(not ok and err.code == "CLUSTER" and err.message:find("needs LuaJIT", 1, true), tostring(err))
    local function new() return wingman.client { cluster = { seeds = urls }, auth = { token = os.getenv "WINGMAN_TOKEN" } } end
    client = new()
    local reports, raised = {}, nil
    require "wingman.loop".on_error(function(message) reports[#reports + 1] = message end)
    wingman.spawn(function()
      local waited, reason = pcall(client.start, client)
      raised = not waited and reason
    end):wait(60)
    assert(raised:find("attempt to yield", 1, true), raised)
    wingman.sleep(0.2) -- what the call had waited for comes to nobody
    assert(not reports[1], reports[1])
    client:close()
    client = new()
    assert(wingman.spawn(function()
      assert(client:start())
      assert(client:map "guest":set("large", 2 ^ 60))
      return client:drain(60) and client:map "guest":get "large" == 2 ^ 60
    end):wait(60))
    client:close()
  ]]

  in_foreign_host("lua5.1", "lacks in Lua 5.1 what needs an FFI, and nothing else", function()
    assert.same({ 0, "", "" }, { run("lua5.1", { "-e", guest .. without_ffi }, env) })
  end)

  for _, program in ipairs { "luajit", "lua5.1" } do
    in_foreign_host(program, "works in " .. program .. ", and leaves globals, signals and output alone", function()
      assert.same({ 0, "", "" }, { run(program, { "-e", guest }, env) })
    end)
  end

  local times = shared.is_0_11 and 100 or 1000 -- 25 s for a thousand
  in_foreign_host("luajit", ("is loaded %d times and leaves nothing behind"):format(times), function()
    local code, out, err = run("luajit", {
      "spec/support/reload_host.lua", prefix, env.WINGMAN_CLUSTER, env.WINGMAN_TOKEN, tostring(times),
    })
    assert.same({ 0, "" }, { code, err })
    local fds_before, rss_before, fds_after, rss_after = out:match "(%d+)%s+(%d+)%s+(%d+)%s+(%d+)"
    assert.equal(fds_before, fds_after)
    assert.is_true(rss_after - rss_before < 1024, ("%d KiB more"):format(rss_after - rss_before))
  end)

  it("works in a C program with a tick, in two Lua states at once", function()
    local plugin = "spec/support/patient_plugin.lua"
    local code, out, err = run(build.folder .. "/tick_host", { "40", plugin, plugin }, env)
    assert.equal(0, code)
    local _, ticks = out:gsub("%d+\n", "")
    assert.equal(40, ticks)
    local acknowledged = {}
    for n in err:gmatch "(%d+) of 40 ticks acknowledged" do acknowledged[#acknowledged + 1] = tonumber(n) end
    assert.equal(2, #acknowledged, err)
    assert.same({ 40, 40 }, acknowledged, err)
    if not shared.is_0_11 then assert.truthy(err:find "another plugin has %d+ ticks") end
  end)

  in_foreign_host("luajit", "works on luv's loop", function()
    if run("luajit", { "-e", "require 'luv'" }) ~= 0 then return pending "lua-luv is not installed" end
    assert.same({ 0, "acknowledged: luv\n", "" }, { run("luajit", { "scripts/plugins/luv_plugin.lua" }, env) })
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
