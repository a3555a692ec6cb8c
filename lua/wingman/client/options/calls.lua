--- The options of a client's functions, and of its maps': one rule each.
local M = {}

local MOST_RESULTS = 2 ^ 32 - 1

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

local function is_direction(value) return value == "asc" or value == "desc" end

local function has_fields(value)
  for field in pairs(value) do
    if type(field) ~= "string" then return false end
  end
  return true
end

-- { field = direction }, or the list that servers after 2.2.0 read.
local function is_order(value)
  for field, direction in pairs(value) do
    local is_entry = type(field) == "number" and type(direction) == "table" and type(direction.field) == "string"
      and is_direction(direction.direction)
    if not is_entry and not (type(field) == "string" and is_direction(direction)) then return false end
  end
  return true
end

--- client:query: what a server reads. One that cannot read a query does not answer.
---@type table<string, wingman.option_rule>
M.query = {
  where = { type = "table", expected = "a table of fields and their values", is_right = has_fields,
    about = "fields, and the values that they must have" },
  predicate = { type = "table", expected = "a table, a predicate of TopGun,", is_right = has_fields,
    about = "a condition in TopGun's own form" },
  sort = { type = "table", expected = 'a table of fields, "asc" or "desc" each,', is_right = is_order,
    about = 'fields to sort by, "asc" or "desc" each' },
  limit = { type = "number", whole = true, min = 1, max = MOST_RESULTS, about = "results at most" },
}

return M
