--- The pages of docs/reference: name -> text.
local api = require "reference.api"
local lists = require "reference.lists"

local ORIGIN = "<!-- Written by scripts/reference.lua from the code. Change the code, then run it. -->\n\n"

return function()
  local pages = { api = api.page() }
  for name, page in pairs(lists) do pages[name] = page() end
  for name, text in pairs(pages) do pages[name] = ORIGIN .. text end
  return pages
end
