--- busted's plain output, with the source line of the assertion that failed: what
--- `assert.is_true(count < 5)` says of itself is that it was false. And with the state of the
--- clients that are open then, which what was awaited did not show already.
local client_state = require "spec.support.client_state"

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

-- Clients are closed after the test; what failed is formatted before that.
local function with_clients(message)
  if type(message) ~= "string" or message:find "\n  client 1: " then return message end
  local ok, state = pcall(client_state.text)
  return ok and state ~= "" and message .. "\n" .. state or message
end

return function(options)
  local handler = require "busted.outputHandlers.plainTerminal"(options)
  local format = handler.format
  function handler.format(...)
    local formatted = format(...)
    formatted.message = with_clients(with_source(formatted.message))
    return formatted
  end
  return handler
end
