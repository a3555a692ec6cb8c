--- The pages for people: README and docs, and the code blocks in them.
local files = require "spec.support.files"

local M = {}

--- Paths of README and of every page below docs/, sorted.
---@return string[]
function M.list()
  local paths = { "README.md", "CONTRIBUTING.md", "SECURITY.md" }
  local found = assert(io.popen "find docs scripts/plugins -name '*.md' | sort")
  for path in found:lines() do paths[#paths + 1] = path end
  found:close()
  return paths
end

---@class spec.block
---@field path string
---@field line integer  of its first line
---@field language string  the first word behind the fence
---@field info string      what follows it
---@field text string

--- The fenced blocks of a page.
---@param path string
---@return spec.block[]
function M.blocks(path)
  local blocks, block, number = {}, nil, 0
  for line in (files.read(path) .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    local language, info = line:match "^```(%S*)%s*(.*)$"
    if block and language then
      block.text = table.concat(block.lines, "\n") .. "\n"
      blocks[#blocks + 1], block = block, nil
    elseif language then
      block = { path = path, line = number + 1, language = language, info = info, lines = {} }
    elseif block then
      block.lines[#block.lines + 1] = line
    end
  end
  assert(not block, path .. ": a fenced block has no end")
  return blocks
end

--- A page without its fenced blocks.
---@param path string
---@return string
function M.prose(path)
  local lines, within = {}, false
  for line in (files.read(path) .. "\n"):gmatch "(.-)\n" do
    if line:match "^```" then within = not within elseif not within then lines[#lines + 1] = line end
  end
  return table.concat(lines, "\n")
end

return M
