--- The script that `wingman run` or `wingman bench` runs in this Lua state. All is nil in a host that
--- embeds the module.
local M = {}

---@type string|nil  the script's source
M.text = nil
---@type string|nil  "@path", or another name where the script is no file
M.chunk_name = nil

--- Sets the script.
---@param text string
---@param chunk_name string  as for loadstring
function M.set(text, chunk_name) M.text, M.chunk_name = text, chunk_name end

--- The folder that the script's file lies in.
---@return string|nil  nil for standard input, and without a script
function M.folder()
  local path = M.chunk_name and M.chunk_name:match "^@(.*)$"
  return path and (path:match "^(.*)/[^/]*$" or ".")
end

--- From here on `require` looks in the script's folder first.
function M.look_beside()
  local folder = M.folder()
  if folder then package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(folder, folder, package.path) end
end

return M
