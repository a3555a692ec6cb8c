--- Wingman as it is installed, for hosts that are not our executable.
local assert = require "luassert"
local build = require "spec.support.build"
local process = require "wingman.loop.process"

local M = {}

local PATIENCE = 240

--- Runs a program to its end: exit code, output, errors.
---@param file string
---@param args string[]
---@param env table<string, string>|nil
---@return integer code, string out, string err
function M.run(file, args, env)
  local child = assert(process.spawn { file = file, args = args, env = env, stderr = true })
  local out = assert(child:read_all(PATIENCE))
  local err = child:read_all(PATIENCE, "stderr") or ""
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

--- Why a spec with this program as the host is skipped; nil when it is not. A sanitized module needs its
--- runtime in the host; programs that are there anyway have none.
---@param program string
---@return string|nil
function M.unfit(program)
  if build.is_sanitized then return program .. " is built without sanitizers" end
  if not M.has(program) then return "there is no " .. program end
end

return M
