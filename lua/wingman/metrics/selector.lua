--- How a metric is named with its tags: `op_latency{scenario:writes,node:n1}`. What is more
--- than letters, digits, '_', '-' and '.' in a tag is in quotes, with \ before " and \:
--- `group_duration{group:"login: a, b"}`. So two sets of tags never have one name.
local M = {}

local function quoted(text)
  if text:find "^[%w_%-%.]+$" then return text end
  return '"' .. text:gsub('["\\]', "\\%0") .. '"'
end

--- Tags as a selector writes them, sorted: "{node:n1,scenario:writes}"; "" without tags.
---@param tags table<string, any>
---@return string
function M.tags_text(tags)
  if next(tags) == nil then return "" end
  local parts = {}
  for tag, value in pairs(tags) do parts[#parts + 1] = quoted(tostring(tag)) .. ":" .. quoted(tostring(value)) end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

-- The text in quotes at `at`, and where it goes on; nil when the quotes do not end.
local function quoted_at(text, at)
  local position = at + 1
  while true do
    local found = text:find('["\\]', position)
    if not found then return nil end
    if text:sub(found, found) == '"' then return (text:sub(at + 1, found - 1):gsub("\\(.)", "%1")), found + 1 end
    position = found + 2
  end
end

-- A tag's name or value at `at`: in quotes, or up to one of `ends`.
local function word_at(text, at, ends)
  at = text:find("%S", at) or #text + 1
  if text:sub(at, at) == '"' then return quoted_at(text, at) end
  local word = text:match("^[^" .. ends .. "]*", at)
  return word:match "^(.-)%s*$", at + #word
end

-- The tags between the braces; nil and what is wrong.
local function tags_of(inner)
  local tags, at = {}, 1
  while inner:find("%S", at) do
    local start = at
    local tag, value
    local function wrong()
      local part = inner:match("^%s*([^,]*)", start)
      return nil, ("'%s' is no tag:value; quotes go around a value with a comma, as in {group:\"a, b\"}"):format(part)
    end
    tag, at = word_at(inner, at, ":=,\"")
    local separator = tag and inner:match("^%s*[:=]()", at)
    if not separator or tag == "" then return wrong() end
    value, at = word_at(inner, separator, ",\"")
    local after = value and inner:match("^%s*(),", at)
    if not value or not after and inner:find("%S", at) then return wrong() end
    tags[tag], at = value, (after or #inner) + 1
  end
  return tags
end

--- Name and tags of "op_latency{scenario:writes, node:n1}"; nil and what is wrong.
---@param text string
---@return string|nil name, table<string, string>|string tags
function M.parse(text)
  local name, rest = text:match "^%s*([%w_]+)%s*(.-)%s*$"
  local inner = rest and (rest == "" and "" or rest:match "^{(.*)}$")
  if not inner then return nil, "a metric's name is expected, like op_latency or op_latency{scenario:a}" end
  local tags, wrong = tags_of(inner)
  if not tags then return nil, wrong end
  return name, tags
end

return M
