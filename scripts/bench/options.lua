--- The options of a benchmark: `--name VALUE` for each of its defaults, `--json`, `--help`.

local nearest = require "wingman.base.nearest"

--- Ends the process when help is asked for (0) or an option is wrong (2). Where the default
--- is a number, so is the value, above 0.
---@param usage string
---@param defaults table<string, number|string>  by the option's name without its dashes
---@return table<string, any>  with `json` set when it was asked for
return function(usage, defaults)
  local options = {}
  for name, value in pairs(defaults) do options[name] = value end

  local function refuse(message)
    io.stderr:write(message, "\n\n", usage)
    os.exit(2, true)
  end

  local i = 1
  while arg[i] do
    local name = arg[i]:match "^%-%-([%a-]+)$"
    if name == "help" then
      io.write(usage)
      os.exit(0, true)
    elseif name == "json" then
      options.json = true
    elseif name and defaults[name] ~= nil then
      i = i + 1
      local value = arg[i]
      if type(defaults[name]) == "number" then
        value = tonumber(value)
        if not value or value <= 0 then refuse("--" .. name .. " needs a number above 0") end
      elseif not value then
        refuse("--" .. name .. " needs a value")
      end
      options[name] = value
    else
      refuse(nearest.unknown_flag(arg[i], defaults, { "json", "help" }))
    end
    i = i + 1
  end
  return options
end
