--- busted's plain output, with the source line of the assertion that failed: what
--- `assert.is_true(count < 5)` says of itself is that it was false.

-- "spec/x_spec.lua:12: ..." with that line below it.
local function with_source(message)
  if type(message) ~= "string" then return message end
  local path, number = message:match "^(%S+%.lua):(%d+): "
  if not path then return message end
  local file = io.open(path)
  if not file then return message end
  local line
  for _ = 1, tonumber(number) do line = file:read "*l" end
  file:close()
  return line and ("%s\n  the line: %s"):format(message, line:match "^%s*(.*)$") or message
end

return function(options)
  local handler = require "busted.outputHandlers.plainTerminal"(options)
  local format = handler.format
  function handler.format(...)
    local formatted = format(...)
    formatted.message = with_source(formatted.message)
    return formatted
  end
  return handler
end
