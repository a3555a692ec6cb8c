--- Checks the structure of sources: every folder is a floor, and a file uses only its own floor and
--- those below it. In C an arrow is an include, or the use of a function or of data that another unit
--- defines; in Lua it is a module's name in quotes, wherever it stands: a require inside a function counts.
local sorted = require "wingman.base.sorted"

local M = {}

--- A unit is a .c file and the header of its name, or one of them alone; or a Lua module.
---@class FloorPlan.Unit
---@field folder string
---@field arrows table<string, string> what is used of which unit: a header, a function or a module

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- The files below a folder, by their path in it.
---@param root string
---@param names string which ones, as `find -name` takes it: "*.[ch]" or "*.lua"
---@return table<string, string> files path → text
function M.read(root, names)
  local files = {}
  local list = assert(io.popen(("find '%s' -name '%s'"):format(root, names)))
  for path in list:lines() do files[path:sub(#root + 2)] = read(path) end
  list:close()
  return files
end

local function without_comments(text)
  return (text:gsub("/%*.-%*/", " "):gsub("//[^\n]*", ""))
end

local function unit_of(path) return (path:gsub("%.[ch]$", "")) end

local function folder_of(path) return path:match "^(.*)/[^/]*$" or "." end

--- The name of the function or the data that a line defines for other files, or nil.
local function defined_by(line)
  if line:find "^static%s" or line:find "^extern%s" then return nil end
  local data = line:match "^%a[%w_%s%*]*[%s%*]([%w_]+)%[?[%w_]*%]?%s*=[^=]"
  if data then return data end
  local name = not line:find "[;=]" and line:match "^%a[%w_%s%*]*[%s%*]([%w_]+)%("
  return name ~= "main" and name or nil
end

--- What .c files define for others: name → unit.
local function definitions(files)
  local defined = {}
  for path, text in pairs(files) do
    if path:find "%.c$" then
      for line in without_comments(text):gsub("__attribute__%s*%b()", ""):gmatch "[^\n]+" do
        local name = defined_by(line)
        if name then defined[name] = unit_of(path) end
      end
    end
  end
  return defined
end

--- Included headers are named with their folder; what is not in the tree is somebody else's.
local function add_includes(unit, path, text, files, problems)
  for header in text:gmatch '#include "([^"]+)"' do
    if not files[header] then
      problems[#problems + 1] = ('%s includes "%s", which no folder has: name it with its folder'):format(path, header)
    elseif unit_of(header) ~= unit_of(path) then
      unit.arrows[unit_of(header)] = header
    end
  end
end

local function add_uses(unit, path, text, defined)
  for name in without_comments(text):gsub('#include "[^"]*"', ""):gmatch "[%a_][%w_]*" do
    local target = defined[name]
    if target and target ~= unit_of(path) and not unit.arrows[target] then unit.arrows[target] = name end
  end
end

---@return table<string, FloorPlan.Unit>
local function read_units(files, problems)
  local units, defined = {}, definitions(files)
  for path, text in pairs(files) do
    local name = unit_of(path)
    units[name] = units[name] or { folder = folder_of(path), arrows = {} }
    add_includes(units[name], path, text, files, problems)
    -- A header only declares what others define; what its inline functions use they include.
    if path:find "%.c$" then add_uses(units[name], path, text, defined) end
  end
  return units
end

-- Modules that are no Lua files: the C core, and what the executable has built in.
local BUILT_IN = { ["wingman.core"] = true, ["wingman.terminal"] = true, ["wingman.simulator"] = true, ["wingman.workers"] = true }

--- Module name → unit: "wingman.client" is "client/init" or "client".
local function modules_of(files)
  local modules = {}
  for path in pairs(files) do
    local unit = path:gsub("%.lua$", "")
    local name = unit == "init" and "wingman" or "wingman." .. unit:gsub("/init$", ""):gsub("/", ".")
    modules[name] = unit
  end
  return modules
end

-- A name that ends in a dot is one that the code goes on with: all modules that it can mean.
local function modules_named(name, modules)
  local found = { modules[name] }
  if name:sub(-1) ~= "." then return found end
  for module, unit in pairs(modules) do
    if module:sub(1, #name) == name then found[#found + 1] = unit end
  end
  return found
end

local function lua_code(text) return (("\n" .. text):gsub("\n%s*%-%-[^\n]*", "\n"):gsub("%s%-%- [^\n]*", "")) end

local function add_modules(unit, path, text, modules, problems)
  local code = lua_code(text)
  for name in code:gmatch "[\"'](wingman%.[%w_.]+)[\"']" do
    for _, target in ipairs(modules_named(name, modules)) do
      if target ~= path:gsub("%.lua$", "") then unit.arrows[target] = name end
    end
  end
  for name in code:gmatch "require%s*%(?%s*[\"'](wingman[%w_.]*)[\"']" do
    if name == "wingman" and modules[name] then unit.arrows[modules[name]] = name end
    if #modules_named(name, modules) == 0 and not BUILT_IN[name] then
      problems[#problems + 1] = ("%s requires %s, which is no module"):format(path, name)
    end
  end
end

---@return table<string, FloorPlan.Unit>
local function read_modules(files, problems)
  local units, modules = {}, modules_of(files)
  for path, text in pairs(files) do
    local unit = { folder = folder_of(path), arrows = {} }
    units[path:gsub("%.lua$", "")] = unit
    add_modules(unit, path, text, modules, problems)
  end
  return units
end

local function check_floors(units, floors, problems)
  local level = {}
  for i, folder in ipairs(floors) do level[folder] = i end
  for _, name in ipairs(sorted.keys(units)) do
    local unit = units[name]
    if not level[unit.folder] then
      problems[#problems + 1] = ("%s stands in the folder '%s', which has no place in the order of floors"):format(name, unit.folder)
    end
    for _, target in ipairs(sorted.keys(unit.arrows)) do
      local from, to = level[unit.folder], level[units[target].folder]
      if from and to and to > from then
        problems[#problems + 1] = ("%s uses %s of %s, a floor above its own"):format(name, unit.arrows[target], target)
      end
    end
  end
end

local function check_sizes(units, most, problems)
  local counts = {}
  for _, unit in pairs(units) do counts[unit.folder] = (counts[unit.folder] or 0) + 1 end
  for _, folder in ipairs(sorted.keys(counts)) do
    if counts[folder] > most then
      problems[#problems + 1] = ("the folder '%s' has %d units, and at most %d are allowed"):format(folder, counts[folder], most)
    end
  end
end

--- The strongly connected parts of the graph with more than one unit (Tarjan 1972).
local function circles(units)
  local index, low, on_stack, stack, found, count = {}, {}, {}, {}, {}, 0
  local function visit(name)
    count = count + 1
    index[name], low[name] = count, count
    stack[#stack + 1], on_stack[name] = name, true
    for _, target in ipairs(sorted.keys(units[name].arrows)) do
      if not index[target] then
        visit(target)
        low[name] = math.min(low[name], low[target])
      elseif on_stack[target] then
        low[name] = math.min(low[name], index[target])
      end
    end
    if low[name] ~= index[name] then return end
    local members, last = {}
    repeat
      last = table.remove(stack)
      on_stack[last] = nil
      members[#members + 1] = last
    until last == name
    if #members > 1 then found[#found + 1] = members end
  end
  for _, name in ipairs(sorted.keys(units)) do
    if not index[name] then visit(name) end
  end
  return found
end

local function check_circles(units, problems)
  for _, members in ipairs(circles(units)) do
    local inside, ties = {}, {}
    for _, name in ipairs(members) do inside[name] = true end
    table.sort(members)
    for _, name in ipairs(members) do
      for _, target in ipairs(sorted.keys(units[name].arrows)) do
        if inside[target] then ties[#ties + 1] = ("  %s uses %s of %s"):format(name, units[name].arrows[target], target) end
      end
    end
    problems[#problems + 1] = ("circle of %s:\n%s"):format(table.concat(members, ", "), table.concat(ties, "\n"))
  end
end

local function judge(units, floors, most, problems)
  check_floors(units, floors, problems)
  check_sizes(units, most, problems)
  check_circles(units, problems)
  return problems
end

--- What is wrong with the structure of C sources, a sentence each; an empty list when nothing is.
---@param files table<string, string> path → text, as M.read returns them
---@param floors string[] the folders, from the ground up
---@param most integer units that a folder may have
---@return string[] problems
function M.problems(files, floors, most)
  local problems = {}
  return judge(read_units(files, problems), floors, most, problems)
end

--- As M.problems, for Lua modules below the folder of wingman.
---@param files table<string, string>
---@param floors string[]  "." is the folder itself
---@param most integer
---@return string[] problems
function M.module_problems(files, floors, most)
  local problems = {}
  return judge(read_modules(files, problems), floors, most, problems)
end

return M
