--- Processors that are kept from halting, by threads that get in nobody's way.
local eventually = require "spec.support.eventually"
local keep_awake = require "wingman.load.keep_awake"
local process = require "wingman.loop.process"

local SCHED_IDLE = "5"

local function read(path)
  local file = io.open(path)
  if not file then return end
  local text = file:read "*a"
  file:close()
  return text
end

-- The processors that this process may use, as the kernel writes them: "0-1,4".
local function allowed()
  local set, count = {}, 0
  for range in read "/proc/self/status":match "Cpus_allowed_list:%s*(%S+)":gmatch "[^,]+" do
    local first, last = range:match "^(%d+)%-?(%d*)$"
    for i = tonumber(first), tonumber(last) or tonumber(first) do
      set[i], count = true, count + 1
    end
  end
  return set, count
end

-- How each thread of a process is scheduled: policy, and the one processor it may use.
local function threads_of(pid)
  local list = {}
  local tasks = io.popen(("ls /proc/%d/task 2>/dev/null"):format(pid))
  for tid in tasks:lines() do
    local directory = ("/proc/%d/task/%s"):format(pid, tid)
    local fields = {}
    for field in read(directory .. "/stat"):match "%) (.*)":gmatch "%S+" do fields[#fields + 1] = field end
    list[#list + 1] = {
      policy = fields[39], -- proc(5): the 41st, and two are before the name's end
      processor = tonumber(read(directory .. "/status"):match "Cpus_allowed_list:%s*(%d+)\n"),
    }
  end
  tasks:close()
  return list
end

describe("processors", function()
  it("are kept awake by one thread each, that runs when nothing else wants to, and no longer than asked", function()
    local awake = assert(keep_awake.start())
    local set, count = allowed()
    assert.equal(count, awake.processors)
    local pid, occupied, others = awake.child.pid, 0, 0
    for _, thread in ipairs(threads_of(pid)) do
      if thread.policy == SCHED_IDLE then
        assert.is_true(set[thread.processor])
        set[thread.processor] = nil
        occupied = occupied + 1
      else others = others + 1 end
    end
    assert.equal(count, occupied)
    assert.equal(1, others)
    -- Kernels with autogroup share the processors between sessions first.
    local session = read(("/proc/%d/autogroup"):format(pid))
    if session then assert.matches("nice 19", session) end
    awake:stop()
    awake:stop()
    assert.is_nil(read(("/proc/%d/stat"):format(pid)))
  end)

  it("may halt when the process that kept them awake was killed", function()
    local child = assert(process.spawn { file = process.wingman_path(), args = { "run", "-" }, stdin = true })
    assert(child:write [[
      local wingman = require "wingman"
      local awake = assert(require "wingman.load.keep_awake".start())
      io.write(awake.child.pid, "\n")
      io.flush()
      wingman.run(function() require "wingman.loop".sleep(60) end)]])
    child:close_stdin()
    local pid = assert(child:read_line(60))
    assert.truthy(read(("/proc/%s/stat"):format(pid)))
    child:kill "SIGKILL"
    child:wait(60)
    child:close()
    eventually("the child ends with its parent", function()
      local stat = read(("/proc/%s/stat"):format(pid))
      return not stat or stat:match "%) Z" ~= nil, stat -- nobody takes up what it left, in a container
    end)
  end)
end)
