--- Lines of styled text for a terminal of some width. Styles cost no columns; text
--- is cleaned of what would move the cursor.
local escape = require "wingman.base.escape"

local M = {}

local codes = { good = "32", bad = "1;31", warn = "33", dim = "2", bold = "1" }

---@class wingman.report.layout
---@field package colour boolean
---@field width integer
---@field package whole_rows boolean
---@field package lines string[]
local methods = {}
methods.__index = methods

local MIN_WIDTH = 24

--- How many columns a text takes (one per code point).
---@param text string
---@return integer
function M.columns(text)
  local _, continuation = text:gsub("[\128-\191]", "")
  return #text - continuation
end

---@param options { colour: boolean|nil, width: integer|nil, whole_rows: boolean|nil }|nil  with
---  whole_rows no table is narrowed to the width
---@return wingman.report.layout
function M.new(options)
  options = options or {}
  return setmetatable({
    colour = options.colour or false, width = math.max(MIN_WIDTH, options.width or 80), whole_rows = options.whole_rows or false,
    lines = {},
  }, methods)
end

function methods:paint(text, style)
  if not self.colour or not style or text == "" then return text end
  return "\27[" .. codes[style] .. "m" .. text .. "\27[0m"
end

function methods:blank() self.lines[#self.lines + 1] = "" end

function methods:text() return table.concat(self.lines, "\n") .. "\n" end

-- Pieces as they stand on lines: a piece that does not fit on the rest of its line
-- begins the next one, one that fits on no line is cut at blanks, else anywhere.
local function words_of(piece, room)
  local text = escape.plain(tostring(piece.text))
  if piece.whole and M.columns(text) <= room then return { text } end
  local words = {}
  for word in text:gmatch "%S+" do
    while M.columns(word) > room do
      local cut = 1
      for at in word:gmatch "()[^\128-\191][\128-\191]*" do
        if M.columns(word:sub(1, at - 1)) <= room then cut = at end
      end
      words[#words + 1] = word:sub(1, cut - 1)
      word = word:sub(cut)
    end
    if word ~= "" then words[#words + 1] = word end
  end
  return words
end

-- A line from its head and its words; neighbours of one style are painted as one.
local function painted(self, head, words)
  local parts, i = { head }, 1
  while i <= #words do
    local first, run = words[i], words[i].text
    while words[i + 1] and words[i + 1].style == first.style do
      i = i + 1
      run = run .. (" "):rep(words[i].space) .. words[i].text
    end
    parts[#parts + 1] = (" "):rep(first.space) .. self:paint(run, first.style)
    i = i + 1
  end
  return (table.concat(parts):gsub("%s+$", ""))
end

--- A label and pieces beside it, wrapped under the first. A piece is
--- { text=, style=, whole= }; whole ones are not broken where they fit on a line, and
--- stand apart from the one before by `gap` blanks.
---@param indent integer
---@param label { text: string, style: string|nil }|nil
---@param label_width integer
---@param pieces { text: string, style: string|nil, whole: boolean|nil }[]
---@param gap integer|nil  1
function methods:field(indent, label, label_width, pieces, gap)
  local column = indent + label_width
  if column > self.width / 2 then column = math.floor(math.min(indent + 2, self.width / 2)) end
  local text = label and escape.plain(tostring(label.text)) or ""
  if indent + M.columns(text) > self.width then -- a name longer than the line is wrapped itself
    self:field(indent, nil, 0, { label })
    label, text = nil, ""
  end
  local head = (" "):rep(indent) .. self:paint(text, label and label.style)
  local at = indent + M.columns(text)
  if at > column or label and at == column then
    self.lines[#self.lines + 1] = head
    head, at = "", 0
  end
  head = head .. (" "):rep(column - at)
  at = column
  local words = {}
  for _, piece in ipairs(pieces) do
    for i, word in ipairs(words_of(piece, self.width - column)) do
      local space = at == column and 0 or piece.whole and i == 1 and gap or 1
      if at + space + M.columns(word) > self.width and at > column then
        self.lines[#self.lines + 1] = painted(self, head, words)
        head, at, space, words = (" "):rep(column), column, 0, {}
      end
      words[#words + 1] = { text = word, style = piece.style, space = space }
      at = at + space + M.columns(word)
    end
  end
  self.lines[#self.lines + 1] = painted(self, head, words)
end

--- Rows of cells { text=, style=, right= } in columns. On a terminal too narrow for
--- them, the cells of a row stand beside and below its first.
---@param indent integer
---@param rows table[][]
function methods:rows(indent, rows)
  local widths, total = {}, indent
  for _, row in ipairs(rows) do
    for c, cell in ipairs(row) do
      cell.text = escape.plain(tostring(cell.text))
      widths[c] = math.max(widths[c] or 0, M.columns(cell.text))
    end
  end
  for _, width in ipairs(widths) do total = total + width + 2 end
  if not self.whole_rows and total - 2 > self.width then return self:stacked(indent, rows) end
  for _, row in ipairs(rows) do
    local parts = {}
    for c, cell in ipairs(row) do
      local padding = (" "):rep(widths[c] - M.columns(cell.text))
      local text = self:paint(cell.text, cell.style)
      parts[c] = cell.right and padding .. text or c == #row and text or text .. padding
    end
    self.lines[#self.lines + 1] = ((" "):rep(indent) .. table.concat(parts, "  ")):gsub("%s+$", "")
  end
end

function methods:stacked(indent, rows)
  for _, row in ipairs(rows) do
    local pieces = {}
    for c = 2, #row do
      if row[c].text ~= "" then pieces[#pieces + 1] = { text = row[c].text, style = row[c].style, whole = true } end
    end
    self:field(indent, row[1], 4, pieces, 2)
  end
end

return M
