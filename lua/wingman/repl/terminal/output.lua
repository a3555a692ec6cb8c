--- While the prompt is on the screen, output has to appear above it: the standard streams
--- of Lua report to the prompt before they write. For the process that has the
--- prompt, and only for it.
local M = {}

--- Whether the last thing that was written ended its line.
M.at_line_start = true

local function note(...)
  for i = select("#", ...), 1, -1 do
    local text = tostring((select(i, ...)))
    if text ~= "" then
      M.at_line_start = text:sub(-1) == "\n"
      return
    end
  end
end

--- Has `before()` called before anything is written to standard output or error, and
--- `lend(fn)` run what wants the terminal for itself: reading, and other programs.
---@param before fun()
---@param lend fun(fn: function): any
function M.capture(before, lend)
  local stdout, stderr = io.stdout, io.stderr
  local file_methods = getmetatable(stdout).__index
  local write, read, execute = file_methods.write, io.read, os.execute
  file_methods.write = function(file, ...)
    if file == stdout or file == stderr then
      before()
      note(...)
    end
    return write(file, ...)
  end
  io.write = function(...)
    local file = io.output()
    return file:write(...)
  end
  print = function(...)
    local parts = {}
    for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
    stdout:write(table.concat(parts, "\t"), "\n")
  end
  io.read = function(...)
    local args, n = { ... }, select("#", ...)
    return lend(function() return read(unpack(args, 1, n)) end)
  end
  os.execute = function(command) return lend(function() return execute(command) end) end
end

return M
