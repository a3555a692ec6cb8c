--- The dead letters of a client: the writes that were rejected.
local escape = require "wingman.base.escape"
local printer = require "wingman.text.printer"
local text_table = require "wingman.text.table"
local view = require "wingman.inspect.view"

local M = {}

--- Letters that are shown; all are in the list.
local MAX_SHOWN = 50

local function render(list, paint, width)
  local show = printer.new { width = function() return 100000 end }
  local rows = { { "write", "map", "key", "rejected by", "reason", "value" } }
  for i = 1, math.min(#list, MAX_SHOWN) do
    local letter = list[i]
    rows[#rows + 1] = { ("%.0f"):format(letter.seq), escape.plain(letter.map), escape.plain(letter.key),
      letter.node and escape.plain(letter.node) or "-", escape.plain(letter.reason),
      letter.removed and "removed" or show:format(letter.value) }
  end
  local lines = {}
  for line in text_table.format(rows, { heading = true }):gmatch "[^\n]+" do lines[#lines + 1] = text_table.clip(line, width) end
  lines[1] = paint("heading", lines[1])
  local function comment(format, ...) lines[#lines + 1] = paint("comment", format:format(...)) end
  if #list > MAX_SHOWN then comment("%s more", text_table.count(#list - MAX_SHOWN)) end
  if list.displaced > 0 then comment("%s older ones had to make way", text_table.count(list.displaced)) end
  return table.concat(lines, "\n") .. "\n"
end

--- The dead letters of a client, the oldest write first; see client:rejected.
---@param client wingman.client
---@return wingman.dead_letter[]  `displaced`: letters that were removed to make space
function M.of(client)
  local letters = client:rejected()
  local list = { displaced = letters.displaced }
  for i, letter in ipairs(letters) do list[i] = letter end
  return view.of(list, render)
end

local orders = { resend = true, drop = true }

--- Sends dead letters again, or drops them. Stops at the first that fails.
---@param client wingman.client
---@param order "resend"|"drop"
---@param which number|string  the number of a write, or "all"
---@return integer|nil count, wingman.error|nil
function M.order(client, order, which)
  if not orders[order] then error(("inspect.order_rejected: '%s' is none of resend, drop"):format(tostring(order)), 2) end
  local letters, seqs = client:rejected(), { tonumber(which) }
  if which == "all" then
    for i, letter in ipairs(letters) do seqs[i] = letter.seq end
  elseif not seqs[1] then
    error(("inspect.order_rejected: the number of a write or 'all' is expected, got '%s'"):format(tostring(which)), 2)
  end
  for _, seq in ipairs(seqs) do
    local ok, err = letters[order](letters, seq)
    if not ok then return nil, err end
  end
  return #seqs
end

return M
