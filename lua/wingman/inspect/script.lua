--- Files of Lua code: loaded at a prompt, and written from one.
local M = {}

--- Runs a Lua file and returns its results. Raises when it cannot be read or compiled.
---@param path string
---@param environment table|nil  its globals; default: those of the caller
---@param ... any  its arguments
function M.load(path, environment, ...)
  local fn, err = loadfile(path)
  if not fn then error(err, 0) end
  if environment then setfenv(fn, environment) end
  return fn(...)
end

--- Writes chunks as a script.
---@param path string
---@param chunks string[]
---@return integer count
function M.save(path, chunks)
  local file, err = io.open(path, "w")
  if not file then error("inspect.save: " .. err, 2) end
  for _, chunk in ipairs(chunks) do file:write(chunk, "\n") end
  file:close()
  return #chunks
end

return M
