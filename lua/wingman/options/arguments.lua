--- Options of a command line, by the same rules as tables of options. The option max_vus is written
--- `--max-vus 5` or `--max-vus=5`, a boolean one `--json`; one whose type is a table may be repeated.
local nearest = require "wingman.base.nearest"
local value_of = require "wingman.options.value"

local M = {}

-- A word as the type of the rule has it; the checker refuses one that is left a text.
local function converted(rule, text)
  if rule.parse then return rule.parse(text) or text end
  return rule.type == "number" and tonumber(text) or text
end

local function take(options, rules, name, text)
  local flag, rule = "--" .. name:gsub("_", "-"), rules[name]
  if rule.type == "table" then
    options[name][#options[name] + 1] = text
    return true
  end
  local ok, read = value_of.read(rule, converted(rule, text))
  if not ok then return nil, ("%s: %s"):format(flag, read) end
  options[name] = read
  return true
end

local function defaults_of(rules)
  local options = { words = {} }
  for name, rule in pairs(rules) do options[name] = rule.type == "table" and {} or rule.default end
  return options
end

local function flags_of(rules)
  local flags = { "--help" }
  for name in pairs(rules) do flags[#flags + 1] = "--" .. name:gsub("_", "-") end
  return flags
end

--- The options with their defaults; `words` in them are the arguments that are none, `help` is true
--- when --help or -h stands anywhere. Or nil and what is wrong.
---@param rules table<string, wingman.option_rule>
---@param words string[]
---@param ... string[]|table<string, any>  names of further options, which may be meant by a wrong one
---@return table|nil options, string|nil wrong
function M.read(rules, words, ...)
  local options, i = defaults_of(rules), 1
  for _, word in ipairs(words) do
    if word == "--help" or word == "-h" then return { help = true, words = {} } end
  end
  while words[i] do
    local word = words[i]
    local flag, text = word:match "^%-%-([%a-]+)=(.*)$"
    local name = (flag or word:match "^%-%-([%a-]+)$" or ""):gsub("-", "_")
    local rule = rules[name]
    if rule and rule.type == "boolean" then
      if text then return nil, ("--%s takes no value, got '%s'"):format(flag, text) end
      options[name] = true
    elseif rule then
      if not text then
        i = i + 1
        text = words[i]
      end
      if not text or text == "" then return nil, ("--%s needs a value"):format((name:gsub("_", "-"))) end
      local ok, wrong = take(options, rules, name, text)
      if not ok then return nil, wrong end
    elseif word:sub(1, 1) == "-" then
      return nil, nearest.unknown_flag(word, flags_of(rules), ...)
    else
      options.words[#options.words + 1] = word
    end
    i = i + 1
  end
  return options
end

return M
