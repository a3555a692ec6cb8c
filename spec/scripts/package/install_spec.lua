--- What `cmake --install` puts where, and that it works there: the executable, the module in a
--- plain luajit, the manual page, pkg-config, completion in bash.
local build = require "spec.support.build"
local files = require "spec.support.files"
local process = require "wingman.loop.process"
local wingman = require "wingman"

local PATIENCE = 120

local function bash(command, cwd, env)
  local args = { "-u", "WINGMAN_EXECUTABLE", "-u", "LUA_PATH", "-u", "LUA_CPATH" }
  for name, value in pairs(env or {}) do args[#args + 1] = name .. "=" .. value end
  for _, arg in ipairs { "bash", "-c", command } do args[#args + 1] = arg end
  local child = assert(process.spawn { file = "env", args = args, cwd = cwd, stderr = true })
  local out = assert(child:read_all(PATIENCE))
  local err = child:read_all(PATIENCE, "stderr")
  local code = child:wait(PATIENCE)
  child:close()
  return code, out, err
end

-- As a user would: from another folder, and with nothing that names the build.
local function run(command, env) return bash(command, "/", env) end

local function read(program) -- what it prints, which is to be without an error
  local code, out, err = bash(program)
  assert.same({ 0, "" }, { code, err })
  return out
end

-- Prints the version and what it read; and which module it has loaded.
local TRY = ("%q/scripts/package/try.lua"):format(os.getenv "PWD" or ".")
local SHOW_MODULE = "print((require 'wingman.core'.path:gsub('/bin/../', '/')))"

describe("an installation", function()
  local prefix, bin

  setup(function()
    prefix = os.tmpname()
    os.remove(prefix)
    bin = prefix .. "/bin/wingman"
    read(("cmake --install %s --prefix %s"):format(build.folder, prefix))
  end)
  teardown(function() os.execute("rm -rf " .. prefix) end)

  it("has what a user reads: README, licence, pages, examples, plugins", function()
    for _, name in ipairs {
      "README.md", "LICENSE", "CHANGELOG.md", "docs/install.md", "docs/reference/api.md", "scripts/load/ycsb.lua",
      "scripts/plugins/tick_plugin.lua", "scripts/plugins/minetest/wingman_sync/init.lua",
    } do
      assert.equal(files.read(prefix .. "/share/doc/wingman/" .. name), files.read(name), name)
    end
  end)

  it("has pages whose links lead to what is installed", function()
    local pages, links = prefix .. "/share/doc/wingman", 0
    for path in read("find " .. pages .. " -name '*.md'"):gmatch "[^\n]+" do
      for link in files.read(path):gmatch "%]%(([^)#:]+)[)#]" do
        links = links + 1
        assert.truthy(io.open(path:match "^(.*)/" .. "/" .. link), path .. " links to " .. link)
      end
    end
    assert.is_true(links > 50, links .. " links")
  end)

  it("runs a script with its own Lua files and its own module", function()
    assert.same({ 0, wingman._VERSION .. " 1\n", "" }, { run(bin .. " run " .. TRY) })
    assert.same({ 0, prefix .. "/lib/lua/5.1/wingman/core.so\n", "" }, { run(('echo "%s" | %s run -'):format(SHOW_MODULE, bin)) })
  end)

  it("is found by a plain luajit, and starts the simulated cluster of its own executable", function()
    if build.is_sanitized then return pending "luajit is built without sanitizers" end
    local env = {
      LUA_PATH = prefix .. "/share/lua/5.1/?.lua;" .. prefix .. "/share/lua/5.1/?/init.lua;;",
      LUA_CPATH = prefix .. "/lib/lua/5.1/?.so;;",
    }
    assert.same({ 0, wingman._VERSION .. " 1\n", "" }, { run("luajit " .. TRY, env) })
    local show = SHOW_MODULE .. " print(require 'wingman.loop.process'.wingman_path())"
    assert.same({ 0, prefix .. "/lib/lua/5.1/wingman/core.so\n" .. bin .. "\n", "" }, { run(('luajit -e "%s"'):format(show), env) })
  end)

  it("says the same version everywhere, the one of CMakeLists.txt", function()
    local version = files.read "CMakeLists.txt":match "project%(wingman VERSION (%S+)"
    assert.equal(version, wingman._VERSION)
    assert.same({ 0, "wingman " .. version .. "\n", "" }, { run(bin .. " --version") })
    assert.same({ 0, "wingman " .. version .. "\n", "" }, { run(bin .. " version") })
    assert.truthy(files.read(prefix .. "/share/man/man1/wingman.1"):find('"wingman ' .. version .. '"', 1, true))
    local _, modversion = run("pkg-config --modversion wingman", { PKG_CONFIG_PATH = prefix .. "/lib/pkgconfig" })
    assert.equal(version .. "\n", modversion)
  end)

  it("tells pkg-config where the Lua files and the module are", function()
    local env = { PKG_CONFIG_PATH = prefix .. "/lib/pkgconfig" }
    for variable, file in pairs { luadir = "wingman/init.lua", moduledir = "wingman/core.so", bindir = "wingman" } do
      local code, folder, err = run("pkg-config --variable=" .. variable .. " wingman", env)
      assert.same({ 0, "" }, { code, err })
      assert.truthy(io.open(folder:gsub("\n", "") .. "/" .. file), folder)
    end
  end)

  it("has a manual page with the --help of every command", function()
    local page = files.read(prefix .. "/share/man/man1/wingman.1"):gsub("\\%-", "-"):gsub("\\&", ""):gsub("\\e", "\\")
    local _, overview = run(bin .. " --help")
    local commands = 0
    for command in overview:gmatch "\n  ([%w-]+)" do
      commands = commands + 1
      local _, help = run(bin .. " " .. command .. " --help")
      assert.truthy(command == "version" or page:find(help, 1, true), command .. " --help is not in the manual page")
    end
    assert.is_true(commands > 8, overview)
  end)

  it("completes commands, their second words and options, and leaves the rest to file names", function()
    local function complete(...)
      local words = { ... }
      local code, out, err = run(([[
        source %s/share/bash-completion/completions/wingman
        COMP_WORDS=("$PROGRAM" %s)
        COMP_CWORD=%d
        _wingman "$PROGRAM" "${COMP_WORDS[COMP_CWORD]}"
        echo "${COMPREPLY[*]}"
      ]]):format(prefix, "'" .. table.concat(words, "' '") .. "'", #words), { PROGRAM = bin })
      assert.same({ 0, "" }, { code, err })
      return (out:gsub("\n$", ""))
    end
    assert.equal("relay repl report", complete "re")
    assert.equal("--help --version", complete "--")
    assert.equal("diff merge show", complete("report", ""))
    assert.equal("inspect", complete("oplog", "in"))
    assert.equal("--warmup", complete("bench", "--wa"))
    assert.equal("--shard --strict", complete("run", "--s"):gsub("%-%-seed ", ""):gsub("%-%-start%-at ", ""))
    assert.equal("", complete("run", "script"))
  end)
end)

describe("the Debian package", function()
  if build.is_sanitized then return pending "is made without sanitizers" end
  if os.execute "command -v dpkg-deb >/dev/null 2>&1" ~= 0 then return pending "dpkg-deb is not installed" end
  local folder, package

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    read(("cpack --config %s/CPackConfig.cmake -B %s"):format(build.folder, folder))
    package = read(("ls %s/*.deb"):format(folder)):gsub("\n", "")
  end)
  teardown(function() os.execute("rm -rf " .. folder) end)

  local function dependencies()
    local _, text = run("dpkg-deb -f " .. package .. " Depends")
    return "\n" .. text:gsub(", ", "\n")
  end

  it("has the module where Debian's luajit looks for it", function()
    local _, cpath = run "luajit -e 'io.write(package.cpath)'"
    local _, list = run("dpkg-deb -c " .. package)
    local module = list:match "%.(/usr/%S+/)wingman/core%.so\n"
    assert.truthy(cpath:find(module .. "?.so", 1, true), ("%s is not in %s"):format(module, cpath))
    assert.truthy(list:find("./usr/share/lua/5.1/wingman/init.lua\n", 1, true), list)
    assert.truthy(list:find("./usr/share/doc/wingman/copyright\n", 1, true), list)
    assert.is_nil(list:find("/usr/lib/lua", 1, true), list)
  end)

  it("depends on a LuaJIT that it runs on, and on what no linker sees", function()
    local all = dependencies()
    assert.truthy(all:find "\nlibluajit2%-5%.1%-2 %(>= 2%.1%-20230119%)\n", all)
    assert.truthy(all:find "\nlua%-cjson ", all)
    assert.is_nil(all:find("libluajit-5.1-2", 1, true), all)
    assert.is_nil(all:find("|", 1, true), all)
  end)

  it("depends on the package of each library that its files are linked with", function()
    local code, owners, err = run(([[
      set -e -o pipefail
      dpkg-deb -x %s %s/root
      cd %s/root
      find . -type f \( -name wingman -path '*/bin/*' -o -name core.so \) -exec readelf -d {} + |
        sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | sort -u | while read -r library; do
          ldconfig -p | sed -n "s|^\t$library .*=> /*\(usr/\)*\(.*\)|\2|p" | head -n 1
        done | while read -r path; do dpkg -S "*/$path" | sed 's/:.*//'; done | sort -u
    ]]):format(package, folder, folder))
    assert.equal(0, code, err)
    local depends, count = dependencies(), 0
    for owner in owners:gmatch "[^\n]+" do
      count = count + 1
      assert.truthy(depends:find("\n" .. owner .. " (", 1, true), owner .. " is not in Depends:" .. depends)
    end
    assert.is_true(count >= 6, owners)
  end)
end)
