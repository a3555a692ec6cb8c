--- SVG, element by element. All text and all attributes are escaped here and nowhere
--- else; colours are classes of wingman.report.plot.theme.
local sorted = require "wingman.base.sorted"
local utf8_text = require "wingman.text.utf8"

local M = {}

local escape = utf8_text.escape

-- Two decimals are a fiftieth of a pixel; no "-0".
local function place(n)
  local text = ("%.2f"):format(n):gsub("%.?0+$", "")
  return text == "-0" and "0" or text
end

local function attributes(list)
  local parts = {}
  for _, name in ipairs(sorted.keys(list)) do
    local value = list[name]
    parts[#parts + 1] = (' %s="%s"'):format(name, type(value) == "number" and place(value) or escape(value))
  end
  return table.concat(parts)
end

---@class wingman.report.svg
---@field width number
---@field height number
---@field package parts string[]
local methods = {}
methods.__index = methods

--- A drawing of that size; `label` is what a screen reader says.
---@param width number
---@param height number
---@param label string
---@return wingman.report.svg
function M.new(width, height, label)
  return setmetatable({ width = width, height = height, label = label, parts = {} }, methods)
end

function methods:add(text) self.parts[#self.parts + 1] = text end

--- One element. `tooltip` is shown where the pointer rests on it.
---@param name string
---@param fields table  attributes; numbers are places
---@param tooltip string|nil
function methods:element(name, fields, tooltip)
  if not tooltip then return self:add(("<%s%s/>"):format(name, attributes(fields))) end
  self:add(("<%s%s><title>%s</title></%s>"):format(name, attributes(fields), escape(tooltip), name))
end

function methods:line(x1, y1, x2, y2, class) self:element("line", { x1 = x1, y1 = y1, x2 = x2, y2 = y2, class = class }) end

function methods:rect(x, y, width, height, class, tooltip)
  self:element("rect", { x = x, y = y, width = math.max(0, width), height = math.max(0, height), class = class }, tooltip)
end

function methods:circle(x, y, r, class, tooltip) self:element("circle", { cx = x, cy = y, r = r, class = class }, tooltip) end

--- Text at a place; `anchor` is "start", "middle" or "end".
function methods:text(x, y, text, class, anchor)
  self:add(("<text%s>%s</text>"):format(attributes { x = x, y = y, class = class, ["text-anchor"] = anchor or "start" },
    escape(text)))
end

--- A line through points { x, y }; a point that is false interrupts it. With `base`,
--- the area between the line and that height.
function methods:path(points, class, base)
  local parts, run = {}, {}
  local function finish()
    if #run > 0 then
      local d = "M" .. table.concat(run, "L")
      if base then d = ("%sL%s %sL%s %sZ"):format(d, run.last, place(base), run.first, place(base)) end
      parts[#parts + 1] = d
    end
    run = {}
  end
  for _, point in ipairs(points) do
    if point then
      run[#run + 1] = place(point[1]) .. " " .. place(point[2])
      run.first, run.last = run.first or place(point[1]), place(point[1])
    else
      finish()
    end
  end
  finish()
  if #parts > 0 then self:element("path", { d = table.concat(parts), class = class }) end
end

--- The drawing as an element of a page.
---@return string
function methods:inline()
  return ('<svg viewBox="0 0 %s %s" role="img" aria-label="%s">%s</svg>'):format(place(self.width), place(self.height),
    escape(self.label), table.concat(self.parts))
end

--- The drawing as a file.
---@param css string
---@return string
function methods:file(css)
  return ('<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" height="%s" role="img" aria-label="%s"><style>%s</style><rect class="paper" width="100%%" height="100%%"/>%s</svg>\n')
    :format(place(self.width), place(self.height), place(self.width), place(self.height), escape(self.label), css,
      table.concat(self.parts))
end

return M
