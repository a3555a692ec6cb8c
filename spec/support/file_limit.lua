--- A limit of the size of files, for what a program does when its disk is full.
local ffi = require "ffi"

local M = {}

ffi.cdef [[
struct rlimit { unsigned long soft, hard; };
int getrlimit(int what, struct rlimit *limit);
int setrlimit(int what, const struct rlimit *limit);
]]
local RLIMIT_FSIZE = 1

--- No file of this process may grow beyond so many bytes.
---@param bytes integer|nil  nil: as many as at the beginning
function M.set(bytes)
  local limit = ffi.new "struct rlimit"
  assert(ffi.C.getrlimit(RLIMIT_FSIZE, limit) == 0)
  limit.soft = bytes or limit.hard
  assert(ffi.C.setrlimit(RLIMIT_FSIZE, limit) == 0)
end

return M
