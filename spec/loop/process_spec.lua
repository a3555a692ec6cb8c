local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"

local children = {}
local function spawn(options)
  local child = assert(process.spawn(options))
  children[#children + 1] = child
  return child
end

local function is_alive(pid) return os.execute(("kill -0 %d 2>/dev/null"):format(pid)) == 0 end

describe("process", function()
  after_each(function()
    for _, child in ipairs(children) do child:close() end
    children = {}
  end)

  it("reads lines and the rest, and tells the exit code", function()
    local child = spawn { file = "sh", args = { "-c", "echo one; echo two; printf three; exit 7" } }
    assert.equal("one", child:read_line(60))
    assert.equal("two\nthree", child:read_all(60))
    local code, signal = child:wait(60)
    assert.equal(7, code)
    assert.is_nil(signal)
    local line, err = child:read_line(1)
    assert.is_nil(line)
    assert.equal("closed", err)
  end)

  it("writes to the child and closes its input", function()
    local child = spawn { file = "cat", stdin = true }
    local text = ("0123456789abcdef"):rep(64 * 1024) .. "\n" -- more than a pipe holds
    assert(child:write(text))
    child:close_stdin()
    assert.equal(text, child:read_all(60))
    assert.equal(0, child:wait(60))
  end)

  it("keeps output and errors apart when asked to", function()
    local child = spawn { file = "sh", args = { "-c", "echo out; echo err >&2" }, stderr = true }
    assert.equal("err", child:read_line(60, "stderr"))
    assert.equal("out", child:read_line(60))
  end)

  it("gives environment and directory", function()
    local child = spawn { file = "sh", args = { "-c", 'echo "$WINGMAN_TEST"; pwd; echo "$HOME"' },
      env = { WINGMAN_TEST = "a=b c" }, cwd = "/" }
    assert.equal("a=b c", child:read_line(60))
    assert.equal("/", child:read_line(60))
    assert.equal(os.getenv "HOME" or "", child:read_line(60))
  end)

  it("says which signal ended a child", function()
    local child = spawn { file = "sleep", args = { "60" } }
    child:kill "SIGTERM"
    local _, signal = child:wait(60)
    assert.equal("SIGTERM", signal)
  end)

  it("times out without harm", function()
    local child = spawn { file = "cat", stdin = true }
    local line, err = child:read_line(0.02)
    assert.is_nil(line)
    assert.equal("timeout", err)
    assert(child:write "still there\n")
    assert.equal("still there", child:read_line(60))
  end)

  it("kills on close, and wakes who waits", function()
    local child = spawn { file = "sleep", args = { "60" } }
    local pid, got = child.pid, nil
    loop.spawn(function() got = { child:read_line() } end)
    loop.iterate(0)
    child:close()
    child:close()
    eventually("the child is heard of, and gone", function() return got and not is_alive(pid) end)
    assert.is_nil(got[1])
    assert.equal("closed", got[2])
  end)

  it("reports a program that there is not, and raises for wrong options", function()
    local child, err = process.spawn { file = "/no/such/program" }
    assert.is_nil(child)
    assert.truthy(err:find("/no/such/program", 1, true))
    assert.error_matches(function() process.spawn { file = "cat", argz = {} } end, "unknown option 'argz'")
    assert.error_matches(function() process.spawn { file = "cat", args = "x" } end, "args: a table is expected, got 'x'")
    assert.error_matches(function() process.spawn {} end, "process.spawn: option file is needed")
  end)
end)
