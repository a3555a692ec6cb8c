--- Cluster URLs that start a cluster with the script: sim://3 (simulated) and
--- topgun://3 (the real v2 server). Options follow as in sim://3?dialect=0.11.
local errors = require "wingman.error"

local M = {}

local modules = { sim = "wingman.sim", topgun = "wingman.topgun" }

--- Whether a cluster URL names an embedded cluster.
---@param url string
function M.is_url(url) return modules[url:match("^(%a+)://") or ""] ~= nil end

--- Starts what the URL names. Waits. The cluster object has urls, token, kill,
--- restart, stop (see wingman.sim).
---@param url string
---@return table|nil cluster, wingman.error|nil
function M.start(url)
  local kind, count, query = url:match("^(%a+)://(%d+)/?%??(.*)$")
  if not kind or not modules[kind] then
    return nil, errors.new("CLUSTER", ("'%s' is no cluster URL: sim://N, topgun://N or a list of ws:// seeds"):format(url))
  end
  local options = { nodes = tonumber(count) }
  for name, value in query:gmatch("([^=&]+)=([^&]*)") do options[name:gsub("-", "_")] = tonumber(value) or value end
  if query:find("dialect=0.11", 1, true) then options.dialect = "0.11" end
  local cluster, err = require(modules[kind]).start(options)
  if not cluster then return nil, errors.new("CLUSTER", ("%s could not be started: %s"):format(url, tostring(err))) end
  return cluster
end

return M
