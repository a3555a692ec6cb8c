--- scripts/test/check.sh, in a folder of its own with one file.
local files = require "spec.support.files"
local process = require "wingman.loop.process"

local PATIENCE = 120

--- The checkers: their program, a file, what is right and what is wrong in it, and what they say then.
local CHECKERS = {
  luacheck = {
    program = "luacheck", file = "lua/a.lua", right = "return {}\n", wrong = "local unused = 1\n",
    says = "lua/a.lua:1:7: (W211) unused variable 'unused'",
  },
  ["clang-format"] = {
    program = "clang-format-14", file = "core/a.c", right = "int a(void)\n{\n    return 1;\n}\n", wrong = "int a(void)\n{\n  return 1;\n}\n",
    says = "core/a.c:2:2: error: code should be clang-formatted",
  },
}

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

for name, checker in pairs(CHECKERS) do
  describe("scripts/test/check.sh " .. name, function()
    if not is_installed(checker.program) then
      pending(checker.program .. " is not installed")
      return
    end

    before_each(function()
      folder = os.tmpname()
      os.remove(folder)
      sh("mkdir -p '%s' && cd '%s' && mkdir -p build/specs core lua spec scripts/test", folder, folder)
      sh("cp .clang-format .luacheckrc '%s' && cp scripts/test/*.sh '%s'/scripts/test", folder, folder)
    end)
    after_each(function() sh("rm -r '%s'", folder) end)

    it("passes a file that is right, and says how many files that were", function()
      files.write(folder .. "/" .. checker.file, checker.right)
      local line, log = check(name)
      assert.equal(("1 passed  check %s, 1 files\n"):format(name), line, log)
    end)

    it("fails for a file that is not, and says why", function()
      files.write(folder .. "/" .. checker.file, checker.wrong)
      local line, log = check(name)
      assert.equal(("0 passed, 1 failed  check %s, 1 files\n"):format(name), line, log)
      assert.truthy(log:find(checker.says, 1, true), log)
    end)

    it("fails when there is no file to check", function()
      local line, log = check(name)
      assert.equal(("0 passed, 1 failed  check %s, 0 files\n"):format(name), line, log)
      assert.truthy(log:find("no file was checked", 1, true), log)
    end)
  end)
end
