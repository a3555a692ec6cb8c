--- Endpoint policies: under which URL a node is reached that the partition map
--- names and that no connection has shown yet.
---
--- A policy is `function(node_id, advertised_url, seeds) -> url | nil`; nil: not
--- at all. Which node answers at a URL is never concluded from the URL: the
--- connection asks.
local M = {}

local function is_usable(url)
  if not url or url == "" then return false end
  local host, port = url:match("^wss?://([^/:]+):(%d+)")
  if not host then return url:match("^wss?://[^/:]+") ~= nil end
  return host ~= "unknown" and tonumber(port) > 0
end

--- The URL that the map says, unless it is plainly no address (`ws://unknown:0`). The
--- advertised address is of no use where all seeds are wss:// and it is ws://:
--- v2 servers advertise ws:// even behind TLS.
function M.auto(_, advertised, seeds)
  if not is_usable(advertised) then return nil end
  local tls = #seeds > 0
  for _, seed in ipairs(seeds) do tls = tls and seed:sub(1, 6) == "wss://" end
  if tls and advertised:sub(1, 5) == "ws://" then return "wss://" .. advertised:sub(6) end
  return advertised
end

--- The URL that the map says, to the letter.
function M.advertised(_, advertised)
  if advertised == "" then return nil end
  return advertised
end

--- No URL: only seeds are tried, advertised addresses never.
function M.seeds() return nil end

--- A policy from a table of node id -> URL.
---@param urls table<string, string>
function M.map(urls)
  return function(node_id) return urls[node_id] end
end

return M
