--- Options of a command line, by the same rules as tables of options. The option max_vus is written
--- `--max-vus 5` or `--max-vus=5`, a boolean one `--json`; one whose type is a table may be repeated.
local nearest = require "wingman.base.nearest"
local value_of = require "wingman.options.value"

local M = {}

local function flag_of(rules, name) return rules[name].flag or "--" .. name:gsub("_", "-") end

-- The value that a text is for a rule. What `parse` makes no value of is left a text, which the rule refuses.
local function value_from(rule, text)
  if rule.read then
    local value, wrong = rule.read(text)
    if wrong then return nil, wrong end
    return true, value
  end
  local value = rule.type == "number" and tonumber(text) or text
  if rule.parse then value = rule.parse(text) or text end
  if rule.type == "table" then return true, value end
  return value_of.read(rule, value)
end

local function take(options, rules, name, text)
  local rule = rules[name]
  local ok, value = value_from(rule, text)
  if not ok then return nil, ("%s: %s"):format(flag_of(rules, name), value) end
  if rule.type ~= "table" then
    options[name] = value
    return true
  end
  local list = options[rule.list or name]
  list[#list + 1] = value
  return true
end

-- Lists are there, empty ones, too.
local function fill_defaults(options, rules)
  for name, rule in pairs(rules) do
    if rule.type == "table" then
      options[rule.list or name] = options[rule.list or name] or {}
    elseif options[name] == nil then
      options[name] = rule.default
    end
  end
  options.words = {}
  return options
end

-- The names of the options by the words that stand for them.
local function names_by_flag(rules)
  local names = {}
  for name in pairs(rules) do names[flag_of(rules, name)] = name end
  return names
end

local function asks_for_help(words)
  for _, word in ipairs(words) do
    if word == "--help" or word == "-h" then return true end
  end
  return false
end

-- "-" stands for a standard stream, and -5 and -nan are numbers.
local function looks_like_option(word) return word:match "^%-." ~= nil and tonumber(word) == nil end

-- Where the words behind `i`, the last that was read, begin.
local function behind(words, i) return { unpack(words, i + 1) } end

local reader = {}
reader.__index = reader

-- Takes the word at `i`, and the next one if that is its value: the index of the last that was taken; nil and what is wrong.
function reader:step(words, i)
  local word = words[i]
  local flag, text = word:match "^(%-%-[^=]+)=(.*)$"
  local name = self.names[flag or word]
  if not name then
    if looks_like_option(word) then return nil, nearest.unknown_flag(word, self.names, { "--help" }) end
    self.options.words[#self.options.words + 1] = word
    return i
  end
  self.seen(name, word, not text and self.rules[name].type ~= "boolean" and words[i + 1] or nil)
  if self.rules[name].type == "boolean" then
    if text then return nil, ("%s takes no value, got '%s'"):format(flag, text) end
    self.options[name] = true
    return i
  end
  if not text then i, text = i + 1, words[i + 1] end
  if not text or text == "" and not self.rules[name].may_be_empty then return nil, ("%s needs a value"):format(flag or word) end
  local ok, wrong = take(self.options, self.rules, name, text)
  return ok and i, wrong
end

local function nothing() end

--- All rules of several tables.
---@param ... table<string, wingman.option_rule>
---@return table<string, wingman.option_rule>
function M.all(...)
  local all = {}
  for _, rules in ipairs { ... } do
    for name, rule in pairs(rules) do all[name] = rule end
  end
  return all
end

--- The words that options are written with, sorted.
---@param rules table<string, wingman.option_rule>
---@return string[]
function M.flags(rules)
  local flags = { "--help" }
  for name in pairs(rules) do flags[#flags + 1] = flag_of(rules, name) end
  table.sort(flags)
  return flags
end

--- The options with their defaults; `words` in them are the arguments that are none. Where --help or -h stands
--- anywhere, `help` is true and nothing else is read. Or nil and what is wrong.
---@param rules table<string, wingman.option_rule>
---@param words string[]
---@param how nil|{ into: table|nil, only_in_front: boolean|nil, seen: nil|fun(name: string, word: string, value: string|nil) }
---  `into`: options that were read before, which these are added to; `only_in_front`: reading ends at the first word that
---  is no option, and `words` are that and all behind it; `seen` is called with the name of each option and its word or two
---@return table|nil options, string|nil wrong
function M.read(rules, words, how)
  how = how or {}
  if not how.only_in_front and asks_for_help(words) then return { help = true, words = {} } end
  local self = setmetatable({
    rules = rules, names = names_by_flag(rules), options = fill_defaults(how.into or {}, rules), seen = how.seen or nothing,
  }, reader)
  local i = 0
  while words[i + 1] do
    local word = words[i + 1]
    if word == "--help" or word == "-h" then return { help = true, words = {} } end
    local last, wrong = self:step(words, i + 1)
    if not last then return nil, wrong end
    i = last
    if how.only_in_front and #self.options.words > 0 then
      self.options.words = behind(words, i - 1)
      break
    end
  end
  return self.options
end

return M
