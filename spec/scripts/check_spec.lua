--- scripts/test/check.sh, in a folder of its own with one file.
local files = require "spec.support.files"
local process = require "wingman.loop.process"

local PATIENCE = 120
local folder

local function sh(...) assert.equal(0, os.execute((...):format(select(2, ...)))) end

local function is_installed(program) return os.execute(("command -v %s >/dev/null"):format(program)) == 0 end

-- The job's line of results without the times, and its log.
local function check(checker)
  local child = assert(process.spawn {
    file = "/bin/bash", args = { "-c", 'exec bash scripts/test/check.sh "$1" 2>&1', "bash", checker }, cwd = folder,
  })
  local text = child:read_all(PATIENCE)
  assert.equal(0, child:wait(PATIENCE), text)
  child:close()
  return text:gsub("^ *[%d.]+ s +[%d.]+ s CPU +", ""), files.read(("%s/build/specs/check_%s.log"):format(folder, checker))
end

describe("scripts/test/check.sh", function()
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    sh("mkdir -p '%s' && cd '%s' && mkdir -p build/specs lua spec", folder, folder)
    sh("cp -r .luacheckrc scripts '%s'/", folder)
  end)
  after_each(function() sh("rm -r '%s'", folder) end)

  if not is_installed "luacheck" then
    pending "luacheck is not installed"
    return
  end

  it("has luacheck pass what it has nothing to say of, and says how many files that were", function()
    files.write(folder .. "/lua/right.lua", "return {}\n")
    local line, log = check "luacheck"
    assert.truthy(line:find "^1 passed  check luacheck, %d+ files\n$", line .. log)
  end)

  it("fails for a warning of luacheck, and names it", function()
    files.write(folder .. "/lua/wrong.lua", "local unused = 1\n")
    local line, log = check "luacheck"
    assert.truthy(line:find "^0 passed, 1 failed  check luacheck, %d+ files\n$", line .. log)
    assert.truthy(log:find("lua/wrong.lua:1:7: (W211) unused variable 'unused'", 1, true), log)
  end)

  it("fails when there is no file to check", function()
    sh("find '%s' -name '*.lua' -delete", folder)
    local line, log = check "luacheck"
    assert.equal("0 passed, 1 failed  check luacheck, 0 files\n", line, log)
    assert.truthy(log:find("no file was checked", 1, true), log)
  end)
end)
