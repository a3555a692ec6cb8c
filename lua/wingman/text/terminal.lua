--- What standard output is: its width, and whether it shows colours.
local ffi = require "ffi"

ffi.cdef [[
int isatty(int fd);
int ioctl(int fd, unsigned long request, ...);
]]

local M = {}

local STDOUT, TIOCGWINSZ = 1, 0x5413
local DEFAULT_WIDTH = 80

local function window_width()
  local size = ffi.new "unsigned short[4]" -- rows, columns, and two in pixels
  if ffi.C.ioctl(STDOUT, TIOCGWINSZ, size) ~= 0 or size[1] == 0 then return nil end
  return tonumber(size[1])
end

--- Colours at a terminal, unless NO_COLOR is set (no-color.org) or TERM is "dumb". The
--- width is COLUMNS, else the terminal's, else 80; a pipe or a file
--- gets whole rows of tables, for programs that read lines, unless COLUMNS is set.
---@return { colour: boolean, width: integer, whole_rows: boolean }
function M.options()
  local tty = ffi.C.isatty(STDOUT) == 1
  local no_colour, term = os.getenv "NO_COLOR", os.getenv "TERM"
  local columns = tonumber(os.getenv "COLUMNS")
  return {
    colour = tty and (no_colour == nil or no_colour == "") and term ~= "dumb",
    width = columns or tty and window_width() or DEFAULT_WIDTH,
    whole_rows = not tty and not columns,
  }
end

return M
