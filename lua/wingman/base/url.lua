--- URLs as a person may see them: in errors, logs, events, metrics and reports.
local M = {}

--- Stands for what is hidden.
local HIDDEN = "***"

-- What stands between the scheme and the last @ before the path.
local USER = "(%a[%w+.-]*://)[^/?#]*@"

--- Clusters that a script starts: their queries have options, which are no secrets.
local is_embedded = { sim = true, topgun = true }

--- Whether the URL has a user, with or without a password.
---@param url string
---@return boolean
function M.has_user(url) return url:find("^%s*" .. USER) ~= nil end

-- A query with its names alone. One without a name is a value.
local function query_shown(query)
  return (query:gsub("[^&]+", function(part) return (part:match "^[^=]*=" or "") .. HIDDEN end))
end

-- One URL, or what was meant for one. What is behind a '#' is no part of a URL of a node.
local function one_shown(text)
  local front, mark, rest = text:match "^([^?#]*)([?#])(.*)$"
  if not front or is_embedded[text:match "^%s*(%a+)://"] then return text end
  if mark == "#" then return front .. mark .. (rest ~= "" and HIDDEN or "") end
  local query, fragment = rest:match "^([^#]*)(#?)"
  return front .. mark .. query_shown(query) .. fragment .. (fragment ~= "" and HIDDEN or "")
end

-- Where the next URL of a list begins; a comma inside of a query begins none.
local function next_url(text, from)
  local comma, at = text:match("(),%s*()%a[%w+.-]*://", from)
  return comma, at
end

--- The URL, or several of them with commas between them, with *** in place of a user and a
--- password, and of the values of a query: load balancers take tokens there. Also in what was
--- meant for a URL and has no scheme.
---@param url string
---@return string
function M.shown(url)
  local text = url:find("://", 1, true) and url:gsub(USER, "%1" .. HIDDEN .. "@") or url:gsub("^[^?#]*@", HIDDEN .. "@")
  local pieces, from = {}, 1
  local comma, at = next_url(text, from)
  while comma do
    pieces[#pieces + 1] = one_shown(text:sub(from, comma - 1)) .. text:sub(comma, at - 1)
    from = at
    comma, at = next_url(text, from)
  end
  pieces[#pieces + 1] = one_shown(text:sub(from))
  return table.concat(pieces)
end

return M
