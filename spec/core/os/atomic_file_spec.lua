local core = require "wingman.core"
local files = require "spec.support.files"

-- A directory of its own for each test.
local function with_directory(fn)
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir " .. path) == 0)
  local ok, err = pcall(fn, path)
  os.execute("chmod -R u+w " .. path .. "; rm -rf " .. path)
  if not ok then error(err, 0) end
end

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

describe("replace_file", function()
  it("makes a file, and takes the place of one with its mode", function()
    with_directory(function(directory)
      local path = directory .. "/report.json"
      assert.is_true(core.replace_file(path, "one\0two"))
      assert.equal("one\0two", files.read(path))
      os.execute("chmod 640 " .. path)
      assert.is_true(core.replace_file(path, "three"))
      assert.equal("three", files.read(path))
      assert.equal("640\n", output("stat -c %a " .. path))
      assert.equal("report.json\n", output("ls -A " .. directory))
    end)
  end)

  it("keeps a symbolic link, and what reads the old file keeps it", function()
    with_directory(function(directory)
      assert.is_true(core.replace_file(directory .. "/real", "old"))
      os.execute(("ln -s real %s/link"):format(directory))
      local reader = assert(io.open(directory .. "/real"))
      assert.is_true(core.replace_file(directory .. "/link", "new"))
      assert.equal("old", reader:read "*a")
      reader:close()
      assert.equal("new", files.read(directory .. "/real"))
      assert.equal("link -> real\n", output(("cd %s; find . -type l -printf '%%f -> %%l\\n'"):format(directory)))
    end)
  end)

  it("steps over what a killed process left", function()
    with_directory(function(directory)
      local left = ("%s/x.%d-0.tmp"):format(directory, core.process_id())
      assert(io.open(left, "w")):close()
      assert.is_true(core.replace_file(directory .. "/x", "whole"))
      assert.equal("whole", files.read(directory .. "/x"))
      assert.equal("", files.read(left))
    end)
  end)

  it("names the path and the reason, and leaves nothing behind", function()
    with_directory(function(directory)
      local _, err = core.replace_file(directory .. "/none/x", "a")
      assert.equal(directory .. "/none/x: No such file or directory", err)
      _, err = core.replace_file(directory, "a")
      assert.equal(directory .. ": Is a directory", err)
      _, err = core.replace_file(directory .. "/" .. ("x"):rep(300), "a")
      assert.matches("File name too long$", err)
      assert.equal("", output("ls -A " .. directory))
    end)
  end)

  it("leaves the old file when the disk is full", function()
    with_directory(function(directory)
      local path = directory .. "/x"
      assert.is_true(core.replace_file(path, "old"))
      -- A file that may not grow is as good as a disk without room.
      local script = directory .. "/run.lua"
      core.replace_file(script, ([[
        local ok, err = require "wingman.core".replace_file(%q, ("x"):rep(1e6))
        print(ok, err)]]):format(path))
      local wingman = require "wingman.loop.process".wingman_path()
      local said = output(("ulimit -f 1; ASAN_OPTIONS=detect_leaks=0 %s run %s 2>&1"):format(wingman, script))
      assert.equal(("nil\t%s: File too large\n"):format(path), said)
      assert.equal("old", files.read(path))
      assert.equal("run.lua\nx\n", output("ls -A " .. directory))
    end)
  end)

  it("writes to what is no regular file, and does not replace it", function()
    with_directory(function(directory)
      local _, err = core.replace_file("/dev/full", "a")
      assert.equal("/dev/full: No space left on device", err)
      assert.equal("character special file\n", output "stat -c %F /dev/full")
      os.execute(("mkfifo %s/pipe; cat %s/pipe >%s/copy &"):format(directory, directory, directory))
      assert.is_true(core.replace_file(directory .. "/pipe", "through"))
      local deadline = require "wingman.loop".now() + 5
      while files.read(directory .. "/copy") ~= "through" and require "wingman.loop".now() < deadline do end
      assert.equal("through", files.read(directory .. "/copy"))
    end)
  end)
end)
