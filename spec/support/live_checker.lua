--- Live queries under a random schedule, and what they have to show: evaluated here in the simplest way, from what the nodes
--- hold, without the modules of queries.
local difference = require("spec.core.support").difference

local M = {}

local function number_of(value)
  local n = type(value) == "table" and value.n
  return type(n) == "number" and n or nil
end

local function by_key(a, b) return a.key < b.key end

-- Rows with a number come first.
local function by_number(is_descending)
  return function(a, b)
    local x, y = number_of(a.value), number_of(b.value)
    if x == y then return a.key < b.key end
    if not x or not y then return x ~= nil end
    if is_descending then return x > y end
    return x < y
  end
end

local function everything() return true end

---@class spec.live_case
---@field query table
---@field holds fun(value: any): boolean
---@field is_before fun(a: wingman.row, b: wingman.row): boolean

---@type spec.live_case[]
M.cases = {
  { query = {}, holds = everything, is_before = by_key },
  { query = { where = { n = { between = { 2e5, 7e5 } } }, sort = "n desc", limit = 5 }, is_before = by_number(true),
    holds = function(value) return number_of(value) ~= nil and number_of(value) >= 2e5 and number_of(value) <= 7e5 end },
  { query = { sort = "n", limit = 10, offset = 3 }, holds = everything, is_before = by_number(false) },
  { query = { predicate = { op = "not", children = { { op = "gt", attribute = "n", value = 3e5 } } }, sort = { "n desc" } },
    is_before = by_number(true), holds = function(value) return number_of(value) == nil or number_of(value) <= 3e5 end },
  { query = { select = { "n" }, limit = 30 }, holds = everything, is_before = by_key },
}

--- The rows that a query has of records.
---@param case spec.live_case
---@param records table<string, { value: any }>
---@return wingman.row[]
function M.expected(case, records)
  local all, rows = {}, {}
  for key, record in pairs(records) do
    if case.holds(record.value) then all[#all + 1] = { key = key, value = record.value } end
  end
  table.sort(all, case.is_before)
  local offset = case.query.offset or 0
  for i = offset + 1, math.min(#all, offset + (case.query.limit or #all)) do
    local value = all[i].value
    if case.query.select then value = { n = type(value) == "table" and value.n or nil } end
    rows[#rows + 1] = { key = all[i].key, value = value }
  end
  return rows
end

--- Where two lists of rows differ; nil when they do not.
---@param rows wingman.row[]
---@param expected wingman.row[]
---@return string|nil
function M.difference(rows, expected)
  if #rows ~= #expected then return ("%d rows, expected %d"):format(#rows, #expected) end
  for i, row in ipairs(rows) do
    if row.key ~= expected[i].key then return ("row %d is %s, expected %s"):format(i, row.key, expected[i].key) end
    local differs = difference(row.value, expected[i].value, row.key)
    if differs then return ("row %d: %s"):format(i, differs) end
  end
end

local changes = {}

function changes.enter(list, key, value, index)
  for _, row in ipairs(list) do assert(row.key ~= key, key .. " has entered twice") end
  assert(index >= 1 and index <= #list + 1, ("%s enters at %d of %d"):format(key, index, #list))
  table.insert(list, index, { key = key, value = value })
end

function changes.leave(list, key, value, index)
  assert(value == nil, key .. " leaves with a value")
  assert(list[index] and list[index].key == key, ("%s leaves at %d, where %s is"):format(key, index, list[index] and list[index].key or "nothing"))
  table.remove(list, index)
end

function changes.update(list, key, value, index)
  for i, row in ipairs(list) do
    if row.key == key then
      assert(difference(row.value, value, key) or i ~= index, key .. " is told again as it was")
      table.remove(list, i)
      assert(index >= 1 and index <= #list + 1, ("%s moves to %d of %d"):format(key, index, #list + 1))
      return table.insert(list, index, { key = key, value = value })
    end
  end
  error(key .. " is updated, and was not told")
end

--- Applies what a live query tells to a list that is empty at first.
---@param live wingman.live_query
---@return { list: wingman.row[], wrong: string|nil, told: integer, resets: integer }
function M.replay(live)
  local replay = { list = {}, told = 0, resets = 0 }
  live:on("row", function(key, value, change, index)
    replay.told = replay.told + 1
    local ok, err = pcall(changes[change], replay.list, key, value, index)
    if not ok then replay.wrong = replay.wrong or err end
  end)
  live:on("reset", function()
    replay.list, replay.resets = live:rows(), replay.resets + 1
  end)
  return replay
end

local is_watch_due = false

--- Watches a map, with this client's own writes.
---@param map wingman.map
---@return table<string, { value: any }>  what was told last of each key that has a value
function M.watch(map)
  local told = {}
  map:watch(nil, function(key, value) told[key] = value ~= nil and { value = value } or nil end, { own = true })
  return told
end

-- Where what a watch was told differs from the records; nil when it does not.
local function wrong_watch(told, records)
  for key, record in pairs(records) do
    if not told[key] then return key .. " was not told" end
    local differs = difference(told[key].value, record.value, key)
    if differs then return "it was told " .. differs end
  end
  for key in pairs(told) do
    if not records[key] then return "it was not told that " .. key .. " is gone" end
  end
end

--- Opens a live query of each case, and at every second call a watch, too: it makes the core list own writes.
---@param map wingman.map
---@return table[]
function M.follow(map)
  local followers = {}
  is_watch_due = not is_watch_due
  followers.told = is_watch_due and M.watch(map) or nil
  for i, case in ipairs(M.cases) do
    local live = map.client:live_query(map.name, case.query)
    followers[i] = { case = case, live = live, replay = M.replay(live) }
  end
  return followers
end

--- What is wrong with live queries, given the records that their map has to show; nil: nothing.
---@param followers table[]
---@param records table<string, { value: any }>
---@return string|nil
function M.wrong(followers, records)
  for i, follower in ipairs(followers) do
    local rows, expected = follower.live:rows(), M.expected(follower.case, records)
    local wrong = M.difference(rows, expected) or follower.live:size() ~= #expected and "size" or nil
    if wrong then return ("query %d: %s"):format(i, wrong) end
    wrong = follower.replay.wrong or M.difference(follower.replay.list, rows)
    if wrong then return ("query %d, as it was told: %s"):format(i, wrong) end
  end
  local wrong = followers.told and wrong_watch(followers.told, records)
  return wrong and "the watch: " .. wrong or nil
end

return M
