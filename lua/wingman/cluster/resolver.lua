--- Host names by a function of the script, in place of the system's resolver:
--- `function(host) -> { addresses }`, numeric ones in order of preference; nil, reason
--- when there is none. It may wait.
local loop = require "wingman.loop"
local protected = require "wingman.base.protected"

local M = {}

--- The host of a URL when it is a name; nil for an address, which needs no resolver.
---@param url string
---@return string|nil
function M.name_in(url)
  local host = url:match "^wss?://([^%[/:?]+)"
  if not host or host:match "^%d+%.%d+%.%d+%.%d+$" then return nil end
  return host
end

local function checked(host, addresses, reason)
  if type(addresses) ~= "table" then
    return nil, ("resolver: no addresses of '%s'%s"):format(host, reason and ": " .. tostring(reason) or "")
  end
  if #addresses == 0 then return nil, ("resolver: '%s' has no address"):format(host) end
  return addresses
end

--- Asks the function, as a task. Waits.
---@param fn fun(host: string): string[]|nil, string|nil
---@param host string
---@param timeout number seconds
---@return string[]|nil addresses, string|nil reason
function M.ask(fn, host, timeout)
  local asked = loop.spawn(function()
    local ok, addresses, reason = protected.call(fn, host)
    if not ok then return nil, ("resolver: %s"):format(addresses) end
    return checked(host, addresses, reason)
  end)
  local addresses, reason = asked:wait(timeout)
  if reason == "timeout" then reason = ("resolver: no answer for '%s' in %g s"):format(host, timeout) end
  return addresses, reason
end

return M
