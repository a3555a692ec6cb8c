--- What scripts/reference.lua writes: path -> text.
local api = require "reference.api"
local lists = require "reference.lists"
local types_file = require "reference.types_file"

local ORIGIN = "<!-- Written by scripts/reference.lua from the code. Change the code, then run it. -->\n\n"

---@return table<string, string>
return function()
  local texts = { ["docs/reference/api.md"] = ORIGIN .. api.page(), [types_file.path] = types_file.text() }
  for name, page in pairs(lists) do texts[("docs/reference/%s.md"):format(name)] = ORIGIN .. page() end
  return texts
end
