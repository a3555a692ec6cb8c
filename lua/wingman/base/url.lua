--- URLs as a person may see them: in errors, logs and reports.
local M = {}

-- What stands between the scheme, if there is one, and the last @ before the path.
local USER = "^(%s*[%a][%w+.-]*://)[^/?#]*@"

--- Whether the URL has a user, with or without a password.
---@param url string
---@return boolean
function M.has_user(url) return url:find(USER) ~= nil end

--- The URL with *** in place of a user and a password.
---@param url string
---@return string
function M.shown(url) return (url:gsub(USER, "%1***@")) end

return M
