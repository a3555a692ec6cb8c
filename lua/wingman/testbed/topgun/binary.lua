--- Where the real server's binary is. It is not part of Wingman.
local errors = require "wingman.base.error"
local process = require "wingman.loop.process"

local M = {}

local PACKAGE, VERSION = "@topgunbuild/server-linux-x64", "2.2.0"

local function is_file(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- The path of the binary: WINGMAN_TOPGUN_SERVER, or the npm package installed
--- where scripts/test.sh puts it or in the current directory. nil and how to get
--- it when it is nowhere. It may lack its execute bit: the package ships it so.
---@return string|nil path, wingman.error|nil
function M.find()
  local named = os.getenv "WINGMAN_TOPGUN_SERVER"
  if named and named ~= "" then
    if is_file(named) then return named end
    return nil, errors.new("CLUSTER", ("topgun: WINGMAN_TOPGUN_SERVER is '%s', which cannot be read"):format(named))
  end
  local below = "/node_modules/" .. PACKAGE .. "/bin/topgun-server"
  local tree = process.wingman_path():match "^(.*)/[^/]*$" or "."
  for _, place in ipairs { tree .. "/topgun", tree .. "/../topgun", "." } do
    if is_file(place .. below) then return place .. below end
  end
  return nil, errors.new("CLUSTER", ("topgun: the server's binary was not found. Install the npm package %s@%s here "
    .. "(npm install %s@%s), or set WINGMAN_TOPGUN_SERVER to the binary"):format(PACKAGE, VERSION, PACKAGE, VERSION))
end

return M
