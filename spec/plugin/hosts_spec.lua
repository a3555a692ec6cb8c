--- Hosts that are not our executable: Wingman as it is installed, in a plain LuaJIT, in Lua 5.1, on luv's loop.
local clusters = require "spec.support.cluster"
local installed = require "spec.support.installed"

local run = installed.run

clusters.on_each(getfenv(1), "hosts", function(shared, it)
  local env, remove
  setup(function() env, remove = installed.new(shared.cluster) end)
  teardown(function() if remove then remove() end end)

  local in_foreign_host = installed.it_in(it, pending)

  -- Starts, writes, reads; and says on standard error what it found changed in its process.
  local guest = [[
    local prefix = os.getenv "WINGMAN_PREFIX"
    package.path = prefix .. "/share/lua/5.1/?.lua;" .. prefix .. "/share/lua/5.1/?/init.lua;" .. package.path
    package.cpath = prefix .. "/lib/lua/5.1/?.so;" .. package.cpath
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

  in_foreign_host("luajit", "works on luv's loop", function()
    if run("luajit", { "-e", "require 'luv'" }) ~= 0 then return pending "lua-luv is not installed" end
    assert.same({ 0, "acknowledged: luv\n", "" }, { run("luajit", { "scripts/plugins/luv_plugin.lua" }, env) })
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
