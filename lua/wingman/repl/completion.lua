--- What TAB knows: globals, fields, methods, the names of maps, nodes, options and
--- commands. It reads tables and never calls what it finds there.
local M = {}

local keywords = {}
for word in ([[and break do else elseif end false for function if in local nil not or repeat return then true
  until while]]):gmatch "%a+" do keywords[#keywords + 1] = word end

--- Names of one kind that are looked at, and that are listed.
local MAX_KEYS, MAX_LISTED = 1000, 200

-- The value of a field as indexing gives it, where that calls nothing.
local function field(value, name)
  for _ = 1, 10 do
    if type(value) == "table" then
      local found = rawget(value, name)
      if found ~= nil then return found end
    end
    local meta = debug.getmetatable(value)
    value = type(meta) == "table" and rawget(meta, "__index") or nil
    if type(value) ~= "table" then return nil end
  end
end

-- The object that a path like `client.state` names in the environment.
local function resolve(environment, path)
  local value = environment
  for name in path:gmatch "[%a_][%w_]*" do
    value = field(value, name)
    if value == nil then return nil end
  end
  return value
end

local function add_names(found, value, only_functions)
  for _ = 1, 10 do
    if type(value) == "table" then
      for name, item in next, value do
        if type(name) == "string" and name:match "^[%a_][%w_]*$" and (not only_functions or type(item) == "function") then
          found[name] = true
        end
      end
    end
    local meta = debug.getmetatable(value)
    value = type(meta) == "table" and rawget(meta, "__index") or nil
    if type(value) ~= "table" then return end
  end
end

-- Kinds of strings -----------------------------------------------------------------

local kinds = {}

function kinds.map(context) return context.client and context.client.map_order or {} end

function kinds.node(context)
  local ids = {}
  local client = context.client
  if not client then return ids end
  for _, node in ipairs(client:health().nodes) do ids[#ids + 1] = node.id end
  local map = client:partition_map()
  for _, node in ipairs(map and map.nodes or {}) do ids[#ids + 1] = node.id end
  for _, node in ipairs(client.embedded and client.embedded.nodes or {}) do ids[#ids + 1] = node.id end
  return ids
end

function kinds.event()
  return { "state", "node_connected", "node_lost", "map_changed", "circuit", "resumed", "high_watermark", "low_watermark",
    "op_dropped", "op_rejected", "op_tries", "ack_timeout", "oplog_error", "oplog_recovered", "server_error", "message", "change" }
end

function kinds.key(context, prefix)
  local keys = {}
  local maps = context.map and { context.map } or {}
  if not context.map then
    for _, map in pairs(context.client and context.client.maps or {}) do maps[#maps + 1] = map end
  end
  for _, map in ipairs(maps) do
    for key in map:each_here() do
      if key:sub(1, #prefix) == prefix then keys[#keys + 1] = key end
      if #keys >= MAX_KEYS then return keys end
    end
  end
  return keys
end

function kinds.sim() return { "kill", "restart", "pause", "resume", "stop_node" } end

-- What a method's first string names.
local of_method = {
  map = "map", query = "map", known_map = "map", repair = "map", holdings = "node", subscribe = "map",
  kill = "node", restart = "node", pause = "node", resume = "node", stop_node = "node", fault = "node",
  received = "node", dump = "map", counts = "map",
  get = "key", read = "key", watch = "key", set = "key", remove = "key", record = "key", resend = "key", partition_of = "key", connection = "key",
  on = "event", off = "event",
}

local function is_map(value) return type(value) == "table" and rawget(value, "core_map") ~= nil end

-- Where in `before` a string is open: the place of its quote, or nil.
local function open_string(before)
  local quote, at
  local i = 1
  while i <= #before do
    local c = before:sub(i, i)
    if quote then
      if c == "\\" then i = i + 1 elseif c == quote then quote = nil end
    elseif c == '"' or c == "'" then
      quote, at = c, i
    elseif before:sub(i, i + 1) == "--" then
      return nil
    end
    i = i + 1
  end
  return quote and at
end

-- The rules of the options that the cursor is among; nil when it is among none.
local function option_rules(head)
  local depth = 0
  for i = #head, 1, -1 do
    local c = head:sub(i, i)
    if c == "}" then depth = depth + 1
    elseif c == "{" then
      if depth > 0 then depth = depth - 1
      else
        local opener = head:sub(1, i - 1)
        local rules = require("wingman.client.options.rules").rules
        if opener:match "client%s*%(?%s*$" or opener:match "connect%s*%(.*,%s*$" then return rules end
        local group = opener:match "([%w_]+)%s*=%s*$"
        local outer = group and option_rules(opener)
        return outer and outer[group] and outer[group].group or nil
      end
    end
  end
end

local function option_values(head)
  local name = head:match "([%w_]+)%s*=%s*$"
  local rules = name and option_rules(head)
  local rule = rules and rules[name]
  if not rule then return nil end
  if rule.one_of then return rule.one_of end
  return {}
end

-- Candidates --------------------------------------------------------------------------

local function in_string(context, head, prefix)
  local values = option_values(head)
  if values then return values end
  local object, method = head:match "([%w_%.:]-)[:%.]([%w_]+)%s*%(?%s*$"
  local kind = method and of_method[method]
  if kind then
    local value = object ~= "" and resolve(context.environment, object) or nil
    return kinds[kind]({ client = context.client, map = is_map(value) and value or nil }, prefix)
  end
  local names = {}
  for _, name in ipairs(kinds.map(context)) do names[#names + 1] = name end
  for _, name in ipairs(kinds.node(context)) do names[#names + 1] = name end
  return names
end

local function names_at(context, before)
  local path = before:match "[%w_%.:]*$"
  local object, separator = path:match "^(.*)([%.:])[%w_]*$"
  local found = {}
  if object then
    local value = resolve(context.environment, object)
    if value ~= nil then add_names(found, value, separator == ":") end
    return found
  end
  add_names(found, context.environment)
  for _, word in ipairs(keywords) do found[word] = true end
  for name in pairs(option_rules(before:sub(1, #before - #path)) or {}) do found[name] = true end
  return found
end

local function starting_with(names, prefix)
  local list, seen = {}, {}
  local function take(name)
    if type(name) == "string" and not seen[name] and name:sub(1, #prefix) == prefix then
      seen[name] = true
      list[#list + 1] = name
    end
  end
  for key, value in pairs(names) do take(type(key) == "number" and value or key) end
  table.sort(list)
  return list
end

local function common_prefix(list)
  local first, last = list[1] or "", list[#list] or ""
  local n = 0
  while n < #first and first:byte(n + 1) == last:byte(n + 1) do n = n + 1 end
  while n > 0 and first:byte(n + 1) and first:byte(n + 1) >= 0x80 and first:byte(n + 1) < 0xc0 do n = n - 1 end
  return first:sub(1, n)
end

local function outcome(names, prefix, ending)
  local list = starting_with(names, prefix)
  local insert = common_prefix(list):sub(#prefix + 1)
  if #list == 1 and ending then insert = insert .. ending end
  return insert, list
end

local function command_line(context, before)
  local commands = require "wingman.repl.commands"
  local name = before:match "^%s*%.(%a*)$"
  if name then
    local names = {}
    for command in pairs(commands.list) do names[#names + 1] = command end
    return true, outcome(names, name, " ")
  end
  local rest
  name, rest = before:match "^%s*%.(%a+)%s+(.*)$"
  local command = name and commands.list[name]
  if not command then return false end
  local words = {}
  for word in rest:gmatch "(%S+)%s+" do words[#words + 1] = word end
  local prefix, kind = rest:match "%S*$", command.takes and command.takes[#words + 1]
  if kind == "expression" or not kind then return false end
  if type(kind) == "table" then return true, outcome(kind, prefix, " ") end
  local about = { client = context.client }
  if kind == "key" and command.takes[#words] == "map" then -- a map that is not known yet has no keys
    about.map = context.client and context.client.maps[words[#words]]
    if not about.map then return true, "", {} end
  end
  return true, outcome(kinds[kind] and kinds[kind](about, prefix) or {}, prefix, " ")
end

--- What could be typed at the cursor: the text that all candidates go on with, and the
--- candidates.
---@param context { environment: table, client: wingman.client|nil }
---@param text string  the line
---@param cursor integer  bytes before the cursor
---@return string insert, string[] candidates
function M.complete(context, text, cursor)
  local before = text:sub(1, cursor)
  local is_command, insert, list = command_line(context, before)
  if is_command then return insert, list end
  local quote = open_string(before)
  if quote then
    local prefix = before:sub(quote + 1)
    return outcome(in_string(context, before:sub(1, quote - 1), prefix), prefix, before:sub(quote, quote))
  end
  local prefix = before:match "[%w_]*$"
  if prefix == "" and not before:match "[%.:]$" and not before:match "[{,%s]$" then return "", {} end
  return outcome(names_at(context, before), prefix)
end

--- A list of names in columns, as lines.
---@param names string[]
---@param width integer  of the terminal
---@return string
function M.in_columns(names, width)
  local widest, shown = 0, math.min(#names, MAX_LISTED)
  for i = 1, shown do widest = math.max(widest, #names[i]) end
  local per_row = math.max(1, math.floor(width / (widest + 2)))
  local rows = math.ceil(shown / per_row)
  local lines = {}
  for row = 1, rows do
    local cells = {}
    for i = row, shown, rows do cells[#cells + 1] = names[i] .. (" "):rep(widest - #names[i]) end
    lines[row] = table.concat(cells, "  "):gsub("%s+$", "") .. "\n"
  end
  if #names > shown then lines[#lines + 1] = ("… %d more\n"):format(#names - shown) end
  return table.concat(lines)
end

return M
