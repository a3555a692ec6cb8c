--- Two reports for one file, of which only the last would be there.
local ffi = require "ffi"

ffi.cdef [[
char *realpath(const char *path, char *resolved);
void free(void *);
]]

local M = {}

local function real_path(path)
  local found = ffi.C.realpath(path, nil)
  return found ~= nil and ffi.string(ffi.gc(found, ffi.C.free)) or nil
end

-- One name for a file, whether it is there or will be: links and "./" are followed.
local function place_of(path)
  local there = real_path(path)
  if there then return there end
  local folder, name = path:match "^(.*/)([^/]*)$"
  local real_folder = real_path(folder or ".")
  return real_folder and real_folder:gsub("/$", "") .. "/" .. (name or path) or path
end

-- What is written one after the other: standard output, and devices such as /dev/null.
local function keeps_all(place) return place == "-" or place:sub(1, 5) == "/dev/" end

--- The first two targets that are one file, as the sentence that refuses them.
---@param targets string[]  each "FORMAT=FILE"
---@return string|nil
function M.find(targets)
  local seen = {}
  for _, target in ipairs(targets) do
    local file = target:match "^[^=]*=(.*)$"
    local place = file == "-" and file or place_of(file)
    if not keeps_all(place) then
      if seen[place] then
        return ("%s and %s are the same file, and would leave only the second; give each format a file of its own")
          :format(seen[place], target)
      end
      seen[place] = target
    end
  end
end

return M
