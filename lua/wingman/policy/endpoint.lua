--- Endpoint policies: the URL at which a node of the partition map is reached that the client is
--- not connected to yet.
---
--- A policy is `function(node_id, advertised_url, seeds) -> url | nil`; nil: do not connect. The
--- client never infers from a URL which node answers there: it asks for the node's id.
local M = {}

local function is_usable(url)
  if not url or url == "" then return false end
  local host, port = url:match("^wss?://([^/:]+):(%d+)")
  if not host then return url:match("^wss?://[^/:]+") ~= nil end
  return host ~= "unknown" and tonumber(port) > 0
end

--- The advertised URL, unless it is no address (`ws://unknown:0`), or it is ws:// while all seeds are
--- wss://: v2 servers advertise ws:// even behind TLS.
function M.auto(_, advertised, seeds)
  if not is_usable(advertised) then return nil end
  local tls = #seeds > 0
  for _, seed in ipairs(seeds) do tls = tls and seed:sub(1, 6) == "wss://" end
  if tls and advertised:sub(1, 5) == "ws://" then return "wss://" .. advertised:sub(6) end
  return advertised
end

--- The URL that the partition map advertises, unchanged.
function M.advertised(_, advertised)
  if advertised == "" then return nil end
  return advertised
end

--- No URL: the client connects to seeds only.
function M.seeds() return nil end

--- A policy from a table of node id -> URL.
---@param urls table<string, string>
function M.map(urls)
  return function(node_id) return urls[node_id] end
end

return M
