--- A comparison for a terminal: the verdict, then the numbers side by side.
local diff = require "wingman.report.diff"
local format = require "wingman.text.quantities"
local layout = require "wingman.text.layout"

local M = {}

local words = { better = "BETTER", worse = "WORSE", same = "SAME", unknown = "UNKNOWN" }
local styles = { better = "good", worse = "bad", same = nil, unknown = "warn", noisy = "warn" }
local row_words = { better = "better", worse = "WORSE", same = "same", unknown = "unknown", noisy = "too noisy" }

local function value(row, n)
  if n == nil then return "-" end
  if row.unit == "share" then return format.share(n) end
  return row.unit == "ops" and format.count(n) or format.quantity(n, row.unit)
end

local function cells_of(row)
  local change_text = diff.change_text
  local interval = row.low and ("%s to %s"):format(change_text(row, row.low), change_text(row, row.high)) or ""
  return { { text = row.name }, { text = value(row, row.a), right = true }, { text = value(row, row.b), right = true },
    { text = row.change and change_text(row, row.change) or "-", right = true }, { text = interval, right = true },
    { text = row_words[row.verdict], style = styles[row.verdict] } }
end

-- Why numbers are unknown, each reason once.
local function reasons_of(rows)
  local list, seen = {}, {}
  for _, row in ipairs(rows) do
    if row.reason and not seen[row.reason] then list[#list + 1] = row.reason end
    seen[row.reason or false] = true
  end
  return list
end

--- The comparison as text.
---@param comparison wingman.report.comparison
---@param names string[]   of the two
---@param options { colour: boolean|nil, width: integer|nil }|nil
---@return string
function M.format(comparison, names, options)
  local out = layout.new(options)
  local word = words[comparison.verdict]
  out:field(0, { text = word, style = styles[comparison.verdict] }, #word + 2, { { text = comparison.sentence, style = "bold" } })
  out:blank()
  local function dim(text, right) return { text = text, style = "dim", right = right } end
  local rows = { { dim "", dim(names[1], true), dim(names[2], true), dim("change", true), dim("99 % interval", true), dim "" } }
  for _, row in ipairs(comparison.rows) do rows[#rows + 1] = cells_of(row) end
  out:rows(2, rows)
  local notes = reasons_of(comparison.rows)
  for _, note in ipairs(comparison.notes) do notes[#notes + 1] = note end
  for i, note in ipairs(notes) do
    if i == 1 then out:blank() end
    out:field(2, { text = "note", style = "warn" }, 6, { { text = note } })
  end
  return out:text()
end

return M
