--- Links between pages lead somewhere: the file is there, and the heading in it.
local files = require "spec.support.files"
local pages = require "spec.support.pages"

-- As the usual renderers make it of a heading.
local function anchor_of(heading)
  return (heading:lower():gsub("`", ""):gsub("[^%w%s_-]", ""):gsub("%s", "-"))
end

local function has_anchor(path, anchor)
  for heading in ("\n" .. pages.prose(path)):gmatch "\n#+ ([^\n]+)" do
    if anchor_of(heading) == anchor then return true end
  end
  return false
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

-- "docs" and "../README.md" make "README.md".
local function resolve(folder, target)
  local parts = {}
  for part in (folder .. "/" .. target):gmatch "[^/]+" do
    if part == ".." then table.remove(parts) elseif part ~= "." then parts[#parts + 1] = part end
  end
  return table.concat(parts, "/")
end

describe("the links of", function()
  for _, path in ipairs(pages.list()) do
    it(path .. " lead somewhere", function()
      local folder, wrong = path:match "^(.*)/[^/]*$" or "", {}
      for target in pages.prose(path):gmatch "%]%(([^)%s]+)%)" do
        if not target:match "^https?://" then
          local name, anchor = target:match "^([^#]*)#?(.*)$"
          local file = name == "" and path or resolve(folder, name)
          if not exists(file) or anchor ~= "" and not has_anchor(file, anchor) then wrong[#wrong + 1] = target end
        end
      end
      if #wrong > 0 then error(path .. ": " .. table.concat(wrong, ", "), 0) end
    end)
  end

  it("every page, and names of files, are of this tree", function()
    local wrong = {}
    for _, path in ipairs(pages.list()) do
      for name in pages.prose(path):gmatch "`([%w_./-]+)`" do
        local is_path = name:match "^core/" or name:match "^lua/" or name:match "^scripts/" or name:match "^spec/" or name:match "^docs/"
        if is_path and not exists(name) then wrong[#wrong + 1] = path .. ": " .. name end
      end
    end
    if #wrong > 0 then error(table.concat(wrong, "\n"), 0) end
  end)

  it("README lead to every page", function()
    local readme = files.read "README.md"
    for _, path in ipairs(pages.list()) do
      local is_page = path:match "^docs/[^/]+%.md$"
      if is_page then assert(readme:find("(" .. path .. ")", 1, true), "README has no link to " .. path) end
    end
  end)
end)
