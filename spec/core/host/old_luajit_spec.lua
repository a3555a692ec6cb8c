--- A LuaJIT that runs `pairs` loops wrongly is refused when the module is loaded.
local build = require "spec.support.build"
local process = require "wingman.loop.process"

local OLD = "build/luajit/usr/bin/luajit"

local function is_there(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

describe("Debian's LuaJIT", function()
  if not is_there(OLD) or build.is_sanitized then
    pending("is refused when wingman.core is loaded (skipped: "
      .. (build.is_sanitized and "it cannot load a module with sanitizers)" or OLD .. " is not there)"))
    return
  end

  local function load_with(luajit, env)
    local code = ("package.cpath = %q print(pcall(require, 'wingman.core'))"):format(build.folder .. "/lib/?.so")
    local child = assert(process.spawn { file = luajit, args = { "-e", code }, env = env, stderr = true })
    finally(function() child:close() end)
    return child:read_all(60), child:read_all(60, "stderr")
  end

  it("is refused when wingman.core is loaded, with what to do", function()
    local text, err = load_with(OLD, { LD_LIBRARY_PATH = "build/luajit/usr/lib/x86_64-linux-gnu" })
    assert.truthy(text:find("^false\t.*this LuaJIT ends pairs loops early.*libluajit2%-5%.1%-2"), text .. err)
  end)

  it("is the only one: this one is taken", function()
    local text, err = load_with("luajit", {})
    assert.truthy(text:find "^true\t", text .. err)
  end)
end)
