--- URLs as a person may see them: in errors, logs and reports.
local M = {}

-- What stands between the scheme and the last @ before the path.
local USER = "(%a[%w+.-]*://)[^/?#]*@"

--- Whether the URL has a user, with or without a password.
---@param url string
---@return boolean
function M.has_user(url) return url:find("^%s*" .. USER) ~= nil end

--- The URL, or several of them, with *** in place of a user and a password; also in what was
--- meant for a URL and has no scheme.
---@param url string
---@return string
function M.shown(url)
  if not url:find("://", 1, true) then return (url:gsub("^.*@", "***@")) end
  return (url:gsub(USER, "%1***@"))
end

return M
