--- The options of a benchmark: `--name VALUE` for each of its defaults, `--json`, `--help`.
local usage = require "wingman.options.usage"

--- Ends the process when help is asked for (0) or an option is wrong (2). Where the default
--- is a number, so is the value, above 0.
---@param help string
---@param defaults table<string, number|string>  by the option's name without its dashes
---@return table<string, any>  with `json` set when it was asked for
return function(help, defaults)
  local rules = { json = { type = "boolean" } }
  for name, value in pairs(defaults) do
    local is_number = type(value) == "number"
    rules[name:gsub("-", "_")] = { type = type(value), default = value, min = is_number and 1e-9 or nil,
      expected = is_number and "a number above 0" or nil }
  end
  local read = usage.read_script(rules, help)
  local options = { json = read.json }
  for name in pairs(defaults) do options[name] = read[name:gsub("-", "_")] end
  return options
end
