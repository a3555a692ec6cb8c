--- Markdown for the reference pages.
local M = {}

--- A cell of a table: no line ends, no bars.
---@param text any
---@return string
local function cell(text) return (tostring(text):gsub("|", "\\|"):gsub("%s*\n%s*", " ")) end

--- A table.
---@param heads string[]
---@param rows any[][]
---@return string
function M.table(heads, rows)
  local lines = { "| " .. table.concat(heads, " | ") .. " |", "|" .. (" --- |"):rep(#heads) }
  for _, row in ipairs(rows) do
    local cells = {}
    for i = 1, #heads do cells[i] = cell(row[i] or "") end
    lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
  end
  return table.concat(lines, "\n") .. "\n"
end

---@param text string
---@return string
function M.code(text) return "`" .. text .. "`" end

return M
