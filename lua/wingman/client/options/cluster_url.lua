--- Where a cluster is, as an option, a command line or WINGMAN_CLUSTER says it: sim://N, topgun://N,
--- or the URLs of nodes with commas between them. Mistakes are found here, before anything is
--- dialled, wherever the text comes from.
local core = require "wingman.core"
local embedded_cluster = require "wingman.testbed"
local url = require "wingman.base.url"
local wire_name = require "wingman.base.wire_name"

local M = {}

-- A URL for a message: without a user, escaped.
local function shown(text) return wire_name.shown(url.shown(text)) end

--- Whether a text is the URL of a node; nil and what is wrong with it.
---@param text any
---@return true|nil, string|nil wrong
function M.check_node(text)
  if type(text) ~= "string" then return nil, "the URL of a node is expected, got " .. type(text) end
  -- A user and a password would be of no use, and end up in logs.
  if url.has_user(text) then
    return nil, ("a URL has a user, %s; TopGun knows tokens only: the option auth.token"):format(shown(text))
  end
  if core.is_node_url(text) then return true end
  return nil, ("%s is no URL of a node: ws://host:port or wss://host:port is expected"):format(shown(text))
end

--- The URLs of nodes in a text that is not of an embedded cluster; nil when it has none.
---@param text string
---@return string[]|nil
function M.seeds(text)
  if not text:match "^%s*wss?://" then return nil end
  local seeds = {}
  for seed in text:gmatch "[^,%s]+" do seeds[#seeds + 1] = seed end
  return seeds
end

-- The seed whose query goes on behind a comma or a space: what follows has no scheme, and may be half of a token.
local function cut_query(seeds)
  for i = 2, #seeds do
    if seeds[i - 1]:find("?", 1, true) and not seeds[i]:find("^%a[%w+.-]*://") then return seeds[i - 1] end
  end
end

--- Whether a text says where a cluster is; nil and what is wrong with it.
---@param text string
---@return true|nil, string|nil wrong
function M.check(text)
  if embedded_cluster.is_url(text) then return embedded_cluster.check(text) end
  local seeds = M.seeds(text)
  if not seeds then
    return nil, ("%s is no cluster URL: sim://N, topgun://N or a list of ws:// seeds"):format(shown(text))
  end
  local cut = cut_query(seeds)
  if cut then
    return nil, ("a comma or a space ends a URL, and what stands behind %s has no scheme: write %%2C for a comma in a query, or ws:// in front of the next URL")
      :format(shown(cut))
  end
  for _, seed in ipairs(seeds) do
    local ok, wrong = M.check_node(seed)
    if not ok then return nil, wrong end
  end
  return true
end

--- As M.check, for who needs a cluster that is started with the script.
---@param text string
---@return true|nil, string|nil wrong
function M.check_embedded(text)
  if embedded_cluster.is_url(text) then return embedded_cluster.check(text) end
  return nil, ("sim://N or topgun://N is expected, got %s"):format(shown(text))
end

return M
