--- Cluster URLs that start a cluster with the script: sim://3 (simulated) and
--- topgun://3 (the real v2 server). Options follow as in sim://3?dialect=0.11.
local errors = require "wingman.base.error"
local escape = require "wingman.base.escape"
local options_check = require "wingman.options.check"

local M = {}

local modules = { sim = "wingman.testbed.sim", topgun = "wingman.testbed.topgun" }

--- Whether a cluster URL names an embedded cluster.
---@param url string
function M.is_url(url) return modules[url:match("^(%a+)://") or ""] ~= nil end

local converters = {
  number = tonumber,
  string = function(text) return text end,
  boolean = function(text)
    if text == "" or text == "1" or text == "true" then return true end
    if text == "0" or text == "false" then return false end
  end,
  table = function(text)
    local list = {}
    for item in text:gmatch "[^,]+" do list[#list + 1] = tonumber(item) or item end
    return list
  end,
}

-- "a=1&b" as options, by the types of their rules. What cannot be converted stays a text, for the
-- checker to refuse.
local function read_query(query, rules)
  local options = {}
  for part in query:gmatch "[^&]+" do
    local name, text = part:match "^([^=]*)=?(.*)$"
    name = name:gsub("-", "_")
    local value = rules[name] and converters[rules[name].type](text)
    if value == nil then value = text end
    options[name] = value
  end
  return options
end

local has_ffi = pcall(require, "ffi")

-- The module that starts the cluster and its options; nil and what is wrong with the URL.
local function parse(url)
  local kind, count, query = url:match("^(%a+)://(%d+)/?%??(.*)$")
  if not kind or not modules[kind] then
    return nil, ("'%s': the number of nodes is expected, as in sim://3 or topgun://3"):format(escape.plain(url))
  end
  if not has_ffi then return nil, ("'%s': starting a cluster needs LuaJIT, and this is %s"):format(url, _VERSION) end
  local starter = require(modules[kind])
  local options = read_query(query, starter.options)
  options.nodes = tonumber(count)
  local checked, wrong = options_check.read(starter.options, options, ("'%s'"):format(escape.plain(url)))
  if not checked then return nil, wrong end
  return starter, checked
end

--- Whether `start` can make sense of a URL, in a Lua that can start clusters.
---@param url string
---@return true|nil, string|nil wrong
function M.check(url)
  if not has_ffi then return true end
  local starter, wrong = parse(url)
  if starter then return true end
  return nil, wrong
end

--- Starts what the URL names. Waits. The cluster object has urls, token, kill,
--- restart, stop (see wingman.sim).
---@param url string
---@return table|nil cluster, wingman.error|nil
function M.start(url)
  local starter, options = parse(url)
  if not starter then return nil, errors.new("CLUSTER", options) end
  local cluster, err = starter.start(options)
  if not cluster then return nil, errors.new("CLUSTER", ("%s could not be started: %s"):format(url, tostring(err))) end
  return cluster
end

return M
