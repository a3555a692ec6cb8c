--- The options of a client's functions, and of its maps': one rule each.
local order = require "wingman.client.query.order"

local M = {}

local MOST_ROWS = 2 ^ 32 - 1

--- map:set and map:remove.
---@type table<string, wingman.option_rule>
M.write = {
  on_ack = { type = "function",
    about = "fn(true) once the write is acknowledged; fn(nil, err) when it is rejected or dropped or the client is closed" },
}

--- client:send_with_retry.
---@type table<string, wingman.option_rule>
M.send = {
  max_retries = { type = "number", default = 3, min = 0, max = math.huge, about = "tries after the first" },
  retry_delay = { type = "duration", default = 0.1, min = 0, about = "wait before the second try; each further one is twice as long" },
  retry_on_not_owner = { type = "boolean", default = true, about = "false: NOT_OWNER is returned" },
  answer = { type = "function", about = "fn(message) knows the answer to the message; then the call waits for it and returns it" },
  timeout = { type = "duration", default = 5, min = 0, max = math.huge, about = "how long one try waits for the answer" },
}

--- map:read.
---@type table<string, wingman.option_rule>
M.read = {
  timeout = { type = "duration", default = 5, min = 0, max = math.huge,
    about = "how long the call may take, with the wait for an owner that is not connected" },
  node = { type = "string", about = "id or URL of the node to ask, which need not be the owner" },
}

--- map:replicate.
---@type table<string, wingman.option_rule>
M.replicate = {
  check = { type = "duration", default = 0.5, min = 0.02, max = 3600,
    about = "while the map changes, the copy is compared with each node this often; while it does not, every 30 s" },
  on_loss = { type = "string", default = "keep", one_of = { "keep", "drop" },
    about = "records that a node came up without: keep shows them and counts them, drop removes them" },
  persist = { type = "boolean", default = false,
    about = "keep the copy in a file below the client option copy.path, so that it is there at once when the process starts again" },
  visible = { type = "string", default = "any", one_of = { "any", "owner" },
    about = "any: of a key that its owner does not hold, the newest record of the other nodes is shown; owner: refused, UNSUPPORTED" },
  keys = { type = "string|table", about = "refused, UNSUPPORTED: a copy of some keys cannot be compared with a node" },
}

--- map:watch.
---@type table<string, wingman.option_rule>
M.watch = {
  initial = { type = "boolean", default = true, about = "false: no calls for what is there already" },
  own = { type = "boolean", default = false, about = "calls for this client's own writes, too" },
}

--- map:on.
---@type table<string, wingman.option_rule>
M.change = {
  replicate = { type = "boolean", default = true, about = "false: hints only, as far as nodes announce changes, and no replica" },
}

local function has_fields(value)
  for field in pairs(value) do
    if type(field) ~= "string" then return false end
  end
  return true
end

local function are_fields(value)
  for i, field in ipairs(value) do
    if type(field) ~= "string" or i > #value then return false end
  end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  return count == #value and count > 0
end

--- client:live_query. wingman.client.query.filter says what is wrong inside of where and predicate.
---@type table<string, wingman.option_rule>
M.live_query = {
  where = { type = "table", expected = "a table of fields and their values", is_right = has_fields,
    about = "fields, and the values that they must have, or operators: { score = { gte = 900 }, team = \"red\" }; operators: eq, neq, gt, gte, lt, lte, in, between" },
  predicate = { type = "table", expected = "a table, a predicate of TopGun,", is_right = has_fields,
    about = "a condition in TopGun's own form, { op = \"gte\", attribute = \"score\", value = 900 }, with and, or, not; with where: both must hold" },
  sort = { type = "string|table", expected = 'a field like "score desc", a list of these, or { field = "asc" or "desc" },',
    is_right = function(value) return order.read(value) ~= nil end,
    about = 'what to sort by: "score desc", { "team", "score desc" }, or { score = "desc" }; default: by key' },
  limit = { type = "number", whole = true, min = 1, max = MOST_ROWS, about = "rows at most; default: all" },
  offset = { type = "number", whole = true, min = 0, max = MOST_ROWS, default = 0, about = "rows to leave out at the start" },
  select = { type = "table", expected = "a list of fields", is_right = are_fields,
    about = 'the fields of values that rows have, { "score", "team" }; default: whole values; of a value that is no table, none' },
}

--- client:query.
---@type table<string, wingman.option_rule>
M.query = {
  source = { type = "string", default = "cluster", one_of = { "cluster", "copy" },
    about = "who is asked: the nodes (cluster), or the local copy of a map that map:replicate has made a replica (copy)" },
  timeout = { type = "duration", default = 30, min = 0, max = math.huge, about = "how long the query may take" },
}
for name, rule in pairs(M.live_query) do M.query[name] = rule end

return M
