--- The file that keeps the copy of one map, below the client option copy.path: its name, why it cannot be used, and what is
--- logged of it. What is in it is the core's (core/replica/saved).
local core = require "wingman.core"
local errors = require "wingman.base.error"

local M = {}

---@class wingman.kept_file
---@field client wingman.client
---@field map wingman.map
---@field path string
---@field problem string|nil  why it cannot be written, as logged last
---@field dropped string      why what was in it was not used, as logged last; ""
local methods = {}
methods.__index = methods

-- Bytes of a file's name that come from the map's.
local NAME_MAX = 180

local function file_name(map_name)
  local name = map_name:gsub("[^%w_-]", function(byte) return ("%%%02X"):format(byte:byte()) end)
  if #name > NAME_MAX then
    name = ("%s~%08x%08x"):format(name:sub(1, NAME_MAX), core.hash_fnv1a(map_name), core.hash_xxh64(map_name))
  end
  return name .. ".copy"
end

-- What a user can do, by problem.
local ADVICE = {
  busy = "close that one first, or give this client a folder of its own", memory = "free memory, or raise the limit",
  not_a_log = "it was not changed: give the client another folder", new_format = "it was not changed: use the version that wrote it",
}

--- Opens the file of a map, before the map is replicated.
---@param client wingman.client
---@param map wingman.map
---@return wingman.kept_file|nil file
---@return wingman.error|nil err  BUSY, COPY
function M.open(client, map)
  local path = client.options.copy.path .. "/" .. file_name(map.name)
  local ok, reason, problem = map.core_map:replica_keep(path)
  if ok then return setmetatable({ client = client, map = map, path = path, dropped = "" }, methods) end
  local message = ("option copy.path: '%s' cannot be used: %s; %s"):format(path, reason, ADVICE[problem] or "mend that, and replicate again")
  return nil, errors.new(problem == "busy" and "BUSY" or "COPY", message,
    { path = path, problem = problem, map = map.name, retriable = problem == "busy" })
end

--- Logs what became of the file since it was looked at last.
function methods:look()
  local _, dropped, reason, problem = self.map.core_map:replica_saved()
  local log, map = self.client.options.log_to, self.map.name
  if dropped and dropped ~= self.dropped then
    self.dropped = dropped
    log("warn", "copy_dropped", { map = map, path = self.path, reason = dropped })
  end
  if (reason ~= nil) == (self.problem ~= nil) then return end
  self.problem = reason
  if reason then log("warn", "copy_not_written", { map = map, path = self.path, problem = problem, reason = reason })
  else log("info", "copy_written_again", { map = map, path = self.path }) end
end

--- What copy:status says of it.
---@return { path: string, bytes: integer, dropped: string|nil, problem: string|nil }
function methods:status()
  local bytes, dropped, reason = self.map.core_map:replica_saved()
  return { path = self.path, bytes = bytes, dropped = dropped ~= "" and dropped or nil, problem = reason }
end

return M
