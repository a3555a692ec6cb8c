--- Wingman as it is installed, for hosts that are not our executable.
local assert = require "luassert"
local build = require "spec.support.build"
local process = require "wingman.loop.process"

local M = {}

--- Seconds without a word after which a program has hung.
local PATIENCE = 240

-- All that a child writes, for as long as it goes on writing; one that does not is killed.
local function read_all(child, stream)
  local parts = {}
  while true do
    local text, err = child:read(PATIENCE, stream)
    if not text and err == "closed" then return table.concat(parts) end
    if not text then
      child:kill "SIGKILL"
      error(("nothing came on %s for %d s after:\n%s"):format(stream, PATIENCE, table.concat(parts)), 3)
    end
    parts[#parts + 1] = text
  end
end

--- Runs a program to its end: exit code, output, errors. One that takes long says so in between.
---@param file string
---@param args string[]
---@param env table<string, string>|nil
---@return integer code, string out, string err
function M.run(file, args, env)
  local child = assert(process.spawn { file = file, args = args, env = env, stderr = true })
  local out = read_all(child, "stdout")
  local err = read_all(child, "stderr")
  local code = child:wait(PATIENCE)
  child:close()
  return code, out, err
end

--- Whether the shell finds a program.
---@param program string
---@return boolean
function M.has(program) return os.execute("command -v " .. program .. " >/dev/null 2>&1") == 0 end

--- Installs the build that runs into a folder of its own; the environment that guests are told of it
--- and of a cluster by, and a function that removes the folder.
---@param cluster table  with urls and token
---@return table<string, string> env, fun() remove
function M.new(cluster)
  local prefix = os.tmpname()
  os.remove(prefix)
  assert.equal(0, (M.run("cmake", { "--install", build.folder, "--prefix", prefix })))
  local env = { WINGMAN_PREFIX = prefix, WINGMAN_CLUSTER = table.concat(cluster.urls, ","), WINGMAN_TOKEN = cluster.token }
  return env, function() os.execute("rm -rf " .. prefix) end
end

--- A function that makes an `it` which needs a program as the host: fn(program, name, test). Without the
--- program the spec is pending, and says why.
---@param it function
---@param pending function
---@return fun(program: string, name: string, test: function)
function M.it_in(it, pending)
  return function(program, name, test)
    local why = M.unfit(program)
    if why then return pending(("%s (skipped: %s)"):format(name, why)) end
    it(name, test)
  end
end

--- Why a spec with this program as the host is skipped; nil when it is not. A sanitized module needs its
--- runtime in the host; programs that are there anyway have none.
---@param program string
---@return string|nil
function M.unfit(program)
  if build.is_sanitized then return program .. " is built without sanitizers" end
  if not M.has(program) then return "there is no " .. program end
end

return M
