--- What servers differ in, by family and version, for scripts that have to know before they rely on it.
local M = {}

---@class wingman.ability
---@field about string
---@field releases table<string, true|string|fun(nodes: integer): true|string>  by release: true, or why not

--- Announcing of changes is about the nodes' own word; a replica finds every change on all of them.
---@type table<string, wingman.ability>
M.list = {
  announced_changes = {
    about = "nodes announce each change of a map with its value",
    releases = {
      ["0.11"] = function(nodes)
        return nodes <= 1 or "the nodes of a cluster announce only that something may have changed; map:replicate compares with them"
      end,
      ["2.2.0"] = true, head = true,
    },
  },
  backups = {
    about = "a record has a copy on another node, within 0.6 s",
    releases = {
      ["0.11"] = function(nodes) return nodes > 1 or "there is one node" end,
      ["2.2.0"] = "a record is on one node only", head = "a record is on one node only",
    },
  },
  restarts = {
    about = "a node has its records again after a restart (with disk storage)",
    releases = { ["0.11"] = "a node comes back empty; its backups had its records",
      ["2.2.0"] = "a node has a database file and does not read it: it comes back empty", head = true },
  },
  tombstones = {
    about = "a removal leaves a mark, which wins over older writes",
    releases = { ["0.11"] = true, ["2.2.0"] = "the record goes without a mark", head = "the record goes without a mark" },
  },
  writers_times = {
    about = "of two writes of a key the one with the newer time of its writer wins",
    releases = { ["0.11"] = true, ["2.2.0"] = "the write that arrives last wins", head = "the write that arrives last wins" },
  },
}

--- How the family and version of a release read in texts.
M.titles = { ["0.11"] = "servers of 0.11", ["2.2.0"] = "v2 servers of version 2.2.0", head = "v2 servers newer than 2.2.0" }

--- Whether a release has an ability; why not.
---@param name string
---@param release string  "0.11", "2.2.0" or "head"
---@param nodes integer   of the cluster
---@return boolean
---@return string|nil why
function M.has(name, release, nodes)
  local answer = M.list[name].releases[release]
  if type(answer) == "function" then answer = answer(nodes) end
  if answer == true then return true end
  return false, ("%s: not of %s: %s"):format(name, M.titles[release], answer)
end

return M
