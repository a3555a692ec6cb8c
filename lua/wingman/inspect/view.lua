--- What an inspection found: plain data that knows how to show itself.
local M = {}

local function plain(_, text) return text end

--- Marks a table: `tostring` gives it as text for people, a prompt shows it with its
--- own colours and width. Its fields stay what they are.
---@generic T: table
---@param data T
---@param render fun(data: T, paint: (fun(kind: string, text: string): string), width: integer): string
---@param page nil|(fun(data: T, paint: (fun(kind: string, text: string): string), width: integer, first: integer, most: integer): string)
---  of a list: its elements from `first` on, `most` of them
---@return T
function M.of(data, render, page)
  return setmetatable(data, {
    render = render,
    page = page,
    __tostring = function(self) return (render(self, plain, 80):gsub("\n$", "")) end,
  })
end

return M
