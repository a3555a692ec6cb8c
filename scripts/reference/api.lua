--- The page of the Lua API, from doc comments.
local help = require "wingman.repl.help"
local sorted = require "wingman.base.sorted"
local types = require "reference.types"
local wingman = require "wingman"

local M = {}

--- The local of this name that a function of the module uses: where classes are that only a
--- running cluster or test has objects of.
local function upvalue(fn, name)
  for i = 1, 60 do
    local found, value = debug.getupvalue(fn, i)
    if found == name then return value end
    if found == nil then error("no upvalue " .. name, 2) end
  end
end

-- The methods of a client and of what it has, from objects without a connection.
local function classes()
  local client = assert(wingman.client { server = "ws://127.0.0.1:1" })
  local found = {}
  local map = client:map "reference"
  local copy, watch = map:replicate(), map:watch(nil, function() end)
  local live = client:live_query "reference"
  for name, object in pairs { client = client, map = map, letters = client:rejected(), copy = copy, watch = watch, live = live } do
    found[name] = getmetatable(object).__index
  end
  client:close()
  return found
end

local class = classes()

local function without(functions, ...)
  local rest = {}
  for name, fn in pairs(functions) do rest[name] = fn end
  for _, name in ipairs { ... } do rest[name] = nil end
  return rest
end

---@class reference.section
---@field prefix string   stands before each name
---@field title string
---@field about string
---@field functions fun(): table<string, function>

---@type reference.section[]
local sections = {
  { title = "wingman", prefix = "wingman.", about = 'The module, `require "wingman"`. Besides: `wingman._VERSION`; `wingman.null` '
      .. "stands for nil inside tables.",
    functions = function() return wingman end },
  { title = "A client", prefix = "client:", about = "What `wingman.client` returns.",
    functions = function() return class.client end },
  { title = "A map", prefix = "map:", about = "What `client:map(name)` returns.",
    functions = function() return class.map end },
  { title = "A copy", prefix = "copy:", about = "What `map:replicate()` returns: a replica of the map.",
    functions = function() return class.copy end },
  { title = "A watch", prefix = "watch:", about = "What `map:watch(key, fn)` returns.",
    functions = function() return class.watch end },
  { title = "A live query", prefix = "live:", about = "What `client:live_query(map, query)` returns.",
    functions = function() return class.live end },
  { title = "Dead letters", prefix = "letters:", about = "What `client:rejected()` returns: a list of `{ seq, map, key, value, "
      .. "removed, millis, counter, reason, node }`, the oldest first.",
    functions = function() return class.letters end },
  { title = "A future", prefix = "future:", about = "What `client:settlement(seq)` and `wingman.spawn(fn)` return.",
    functions = function() return getmetatable(require("wingman.loop").future()).__index end },
  { title = "wingman.loop", prefix = "loop.", about = "The loop of a Lua state. Besides: `loop.now()`, monotonic seconds; "
      .. "`loop.wake(task)`, `loop.park()` and `loop.soon(fn, a, b)`, the primitives of tasks.",
    functions = function() return without(require "wingman.loop", "now", "wake", "park", "soon") end },
  { title = "wingman.policy.routing", prefix = "routing.", about = "Routing policies; see [policies](../policies.md).",
    functions = function() return wingman.policy.routing end },
  { title = "wingman.policy.reconnect", prefix = "reconnect.", about = "Reconnect policies.",
    functions = function() return wingman.policy.reconnect end },
  { title = "wingman.policy.circuit", prefix = "circuit.", about = "Circuit policies.",
    functions = function() return wingman.policy.circuit end },
  { title = "wingman.policy.endpoint", prefix = "endpoint.", about = "Endpoint policies.",
    functions = function() return wingman.policy.endpoint end },
  { title = "wingman.policy.refresh", prefix = "refresh.", about = "Refresh policies.",
    functions = function() return wingman.policy.refresh end },
  { title = "wingman.load", prefix = "load.", about = "Load tests; see [the manual](../load-testing.md).",
    functions = function() return require "wingman.load" end },
  { title = "A custom metric", prefix = "metric:", about = "What `load.counter`, `load.gauge`, `load.rate` and `load.trend` return.",
    functions = function() return getmetatable(require("wingman.load").counter "reference").__index end },
  { title = "A virtual user", prefix = "vu:", about = "What the `exec` of a scenario is given. Its fields: `id`, `iteration`, "
      .. "`client`, `data`, `env`.",
    functions = function() return upvalue(upvalue(require("wingman.load.scenario.vu").new, "metatable_of"), "methods") end },
  { title = "Steering", prefix = "steering:", about = "The argument of the function `call` of a planned fault.",
    functions = function() return upvalue(require("wingman.load.control.steering").new, "methods") end },
  { title = "wingman.inspect", prefix = "inspect.", about = "Each command of [the prompt](../prompt.md) is one of these.",
    functions = function() return require "wingman.inspect" end },
  { title = "wingman.interrupt", prefix = "interrupt.", about = "What SIGINT, SIGTERM and SIGHUP do to a script.",
    functions = function() return require "wingman.interrupt" end },
  { title = "wingman.histogram", prefix = "histogram.", about = "HDR histograms.",
    functions = function() return require "wingman.histogram" end },
  { title = "wingman.repl.server", prefix = "server.", about = "Prompts inside a running program.",
    functions = function() return require "wingman.repl.server" end },
  { title = "wingman.sim", prefix = "sim.", about = "Simulated clusters; see [the page](../simulated-clusters.md).",
    functions = function() return require "wingman.sim" end },
  { title = "A simulated cluster", prefix = "cluster:", about = "What `sim.start` returns, and `client:cluster()` of `sim://`.",
    functions = function() return upvalue(require("wingman.sim").start, "methods") end },
  { title = "wingman.topgun", prefix = "topgun.", about = "Clusters of the real server.",
    functions = function() return require "wingman.topgun" end },
  { title = "A cluster of the real server", prefix = "cluster:", about = "What `topgun.start` returns, and `client:cluster()` of "
      .. "`topgun://`.",
    functions = function() return upvalue(require("wingman.topgun").start, "methods") end },
}

local function signature(section, name, doc)
  return section.prefix .. name .. (doc.head:match "%b()" or "()"):gsub("^%(self,?%s*", "(")
end

-- "@param name type  words" as an item of a list.
local function tag_line(tag)
  local name, rest = tag:match "^@param%s+(%S+)%s*(.*)$"
  if name then return ("- `%s`: %s"):format(name, rest) end
  local returned = tag:match "^@return%s+(.*)$"
  if returned then return "- returns " .. returned end
end

-- The lines of a comment: code, which is indented in it, is fenced.
local function body(text)
  local lines, within = {}, false
  for _, line in ipairs(text) do
    local is_code = line:match "^  " ~= nil
    if is_code ~= within then lines[#lines + 1], within = "```", is_code end
    lines[#lines + 1] = is_code and line:sub(3) or line
  end
  if within then lines[#lines + 1] = "```" end
  return lines
end

local function entry(section, name, doc)
  local lines, tags = body(doc.text), {}
  for _, tag in ipairs(doc.tags) do tags[#tags + 1] = tag_line(tag) end
  table.insert(lines, 1, "### `" .. signature(section, name, doc) .. "`\n")
  if #tags > 0 then lines[#lines + 1] = "\n" .. table.concat(tags, "\n") end
  return table.concat(lines, "\n") .. "\n"
end

--- The public functions of a section, and the names of those that say nothing of themselves.
local function documented(section)
  local docs, silent = {}, {}
  for name, fn in pairs(section.functions()) do
    if type(name) == "string" and type(fn) == "function" and not name:match "^_" then
      local doc = help.of(fn, name)
      if not doc or #doc.text == 0 then silent[#silent + 1] = section.prefix .. name
      elseif not help.is_internal(doc) then docs[name] = doc end
    end
  end
  return docs, silent
end

-- The page without its types.
local function functions_page()
  local parts = { "# The Lua API\n\nIn a task of the loop a function that waits yields; elsewhere it runs the loop meanwhile. A function\nraises for a "
    .. "programming error and returns `nil, err` for what can happen in a correct program.\n" }
  for _, section in ipairs(sections) do
    parts[#parts + 1] = ("## %s\n\n%s\n"):format(section.title, section.about)
    local docs = documented(section)
    for _, name in ipairs(sorted.keys(docs)) do parts[#parts + 1] = entry(section, name, docs[name]) end
  end
  return table.concat(parts, "\n")
end

--- Public functions without a doc comment that says what they do, and fields of the types of the page without words.
---@return string[]
function M.silent()
  local all = types.silent(functions_page())
  for _, section in ipairs(sections) do
    local _, silent = documented(section)
    for _, name in ipairs(silent) do all[#all + 1] = name end
  end
  table.sort(all)
  return all
end

---@return string
function M.page()
  local text = functions_page()
  return text .. "\n" .. types.section(text)
end

return M
