--- Payloads: text of any length, and templates that are filled for each iteration.
local random = require "wingman.base.random"
local sizes = require "wingman.load.input.sizes"

local sub = string.sub

local M = {}

local ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
--- Texts are pieces of one random text, so that long ones cost a copy.
local POOL = 65536

local pool

local function make_pool()
  local rng, parts = random.new(1, 1), {}
  for i = 1, POOL do
    local at = rng:int(1, #ALPHABET)
    parts[i] = sub(ALPHABET, at, at)
  end
  local text = table.concat(parts)
  return text:rep(math.ceil(sizes.most / POOL) + 1)
end

--- A text of `n` letters and digits.
---@param rng wingman.load.random
---@param n integer
---@return string
function M.text(rng, n)
  pool = pool or make_pool()
  local from = rng:int(1, POOL)
  return sub(pool, from, from + n - 1)
end

-- Templates ----------------------------------------------------------------------

local fillers = {
  vu = function() return function(vu) return vu.id end end,
  iteration = function() return function(vu) return vu.iteration end end,
  key = function() return function(vu) return vu:key() end end,
  int = function(argument)
    local low, high = (argument or ""):match "^(%-?%d+)%.%.(%-?%d+)$"
    low, high = tonumber(low), tonumber(high)
    if not low or low > high then return nil, "int:LOW..HIGH is expected" end
    return function(vu) return vu.rng:int(low, high) end
  end,
  float = function() return function(vu) return vu.rng:float() end end,
  text = function(argument)
    local n = tonumber(argument)
    if not n or n < 0 or n > sizes.most then return nil, "text:LENGTH is expected" end
    return function(vu) return M.text(vu.rng, n) end
  end,
  choice = function(argument)
    local list = {}
    for one in (argument or ""):gmatch "[^|]+" do list[#list + 1] = one end
    if #list == 0 then return nil, "choice:A|B|C is expected" end
    return function(vu) return list[vu.rng:int(1, #list)] end
  end,
  env = function(argument) return function(vu) return vu.env[argument] end end,
}

local function filler(text, place)
  local name, argument = text:match "^(%w+):?(.*)$"
  local make = fillers[name or ""]
  local fill, err
  if make then fill, err = make(argument ~= "" and argument or nil) end
  if fill then return fill end
  error(("load.template: %s: '${%s}': %s"):format(place, text, err or "there are vu, iteration, key, int, float, text, choice, env"), 0)
end

-- A string with ${…} in it: alone it keeps its type, within a text it is text.
local function compile_string(text, place)
  local alone = text:match "^%${([^}]*)}$"
  if alone then return filler(alone, place) end
  if not text:find("${", 1, true) then return nil end
  local parts, at = {}, 1
  while true do
    local from, to, inner = text:find("%${([^}]*)}", at)
    if not from then break end
    if from > at then parts[#parts + 1] = sub(text, at, from - 1) end
    parts[#parts + 1] = filler(inner, place)
    at = to + 1
  end
  if at <= #text then parts[#parts + 1] = sub(text, at) end
  return function(vu)
    local out = {}
    for i, part in ipairs(parts) do out[i] = type(part) == "function" and tostring(part(vu)) or part end
    return table.concat(out)
  end
end

local compile
local function compile_table(given, place)
  local fields = {}
  for name, value in pairs(given) do
    fields[#fields + 1] = { name, compile(value, place .. "." .. tostring(name)), value }
  end
  return function(vu)
    local out = {}
    for i = 1, #fields do
      local field = fields[i]
      local fill = field[2]
      if fill then out[field[1]] = fill(vu) else out[field[1]] = field[3] end
    end
    return out
  end
end

function compile(value, place)
  if type(value) == "string" then return compile_string(value, place) end
  if type(value) == "table" then return compile_table(value, place) end
  if type(value) == "function" then return value end
end

--- A function that makes a fresh value for a virtual user: strings in it may hold
--- ${vu} ${iteration} ${key} ${int:1..6} ${float} ${text:100} ${choice:a|b|c} ${env:name};
--- functions in it are called with the user.
---
---   local order = load.template { item = "item-${int:1..500}", amount = "${int:1..9}" }
---   exec = function(vu) vu:map "orders":set(vu:key(), order(vu)) end
---@param given table|string
---@return fun(vu: wingman.load.vu): any
function M.template(given)
  local ok, fill = pcall(compile, given, "template")
  if not ok then error(fill, 2) end
  return fill or function() return given end
end

return M
