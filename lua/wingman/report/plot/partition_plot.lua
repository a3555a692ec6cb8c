--- The partitions as cells, row by row: on one map how slow and how busy each was, on
--- the other which node its operations go to.
local format = require "wingman.text.quantities"
local scale = require "wingman.report.plot.scale"
local svg = require "wingman.report.plot.svg"
local theme = require "wingman.report.plot.theme"
local short = require "wingman.text.utf8".short

local M = {}

local CELL, GAP, LEFT, TOP = 20, 2, 30, 24
local COLUMNS = 20
local SHADES = 7

local function rows_of(count) return math.ceil(count / COLUMNS) end

local function place(partition) -- from 0
  return LEFT + partition % COLUMNS * (CELL + GAP), TOP + math.floor(partition / COLUMNS) * (CELL + GAP)
end

local function node_name(document, index)
  if index == -1 then return "none" end
  return document.environment.nodes[index]
end

local function tooltip(document, p) -- from 1
  local partitions = document.partitions
  local mean = partitions.latency[p]
  local text = ("partition %d: owner %s"):format(p - 1, node_name(document, partitions.owners[p]))
  if partitions.routed[p] ~= partitions.owners[p] then
    text = text .. ", goes to " .. node_name(document, partitions.routed[p])
  end
  return ("%s, %s%s"):format(text, format.plural(partitions.ops[p], "operation"),
    mean and ", mean " .. format.duration(mean) or "")
end

local function new_drawing(document, label)
  local rows = rows_of(document.environment.partition_count)
  local width = LEFT + COLUMNS * (CELL + GAP)
  local drawing = svg.new(width, TOP + rows * (CELL + GAP) + 34, label)
  drawing:text(LEFT, 12, label, "title")
  for row = 0, rows - 1 do
    local _, y = place(row * COLUMNS)
    drawing:text(LEFT - 6, y + CELL / 2 + 4, tostring(row * COLUMNS), "dim", "end")
  end
  return drawing, TOP + rows * (CELL + GAP) + 10
end

local function extent(partitions)
  local lowest, highest, most = math.huge, 0, 0
  for p, mean in ipairs(partitions.latency) do
    if mean and mean > 0 then lowest, highest = math.min(lowest, mean), math.max(highest, mean) end
    most = math.max(most, partitions.ops[p])
  end
  return lowest, highest, most
end

local function shade_of(mean, lowest, highest)
  return math.floor(scale.log(lowest, highest, 0, SHADES - 0.001)(mean))
end

local function heat_legend(drawing, y, lowest, highest)
  drawing:text(LEFT, y + 11, format.duration(lowest), "dim")
  local x = LEFT + 56
  for i = 0, SHADES - 1 do drawing:rect(x + i * 22, y, 22, 14, "h" .. i) end
  drawing:text(x + SHADES * 22 + 6, y + 11, format.duration(highest) .. "; area: operations", "dim")
end

--- Mean latency as shade, operations as area. Nil when nothing was measured.
---@param document table
---@return wingman.report.svg|nil
function M.latency(document)
  local partitions = document.partitions
  if not partitions then return nil end
  local lowest, highest, most = extent(partitions)
  if highest == 0 then return nil end
  local drawing, below = new_drawing(document, "mean latency")
  for p = 1, document.environment.partition_count do
    local x, y = place(p - 1)
    local mean = partitions.latency[p]
    if mean and mean > 0 then
      local side = math.max(5, CELL * math.sqrt(most > 0 and partitions.ops[p] / most or 0))
      drawing:rect(x, y, CELL, CELL, "track", tooltip(document, p))
      drawing:rect(x + (CELL - side) / 2, y + (CELL - side) / 2, side, side, "h" .. shade_of(mean, lowest, highest),
        tooltip(document, p))
    else
      drawing:rect(x + 0.5, y + 0.5, CELL - 1, CELL - 1, "none", tooltip(document, p))
    end
  end
  heat_legend(drawing, below, lowest, highest)
  return drawing
end

local function route_cell(drawing, document, p)
  local partitions = document.partitions
  local x, y = place(p - 1)
  local owner, routed = partitions.owners[p], partitions.routed[p]
  if owner == -1 then
    drawing:rect(x + 0.5, y + 0.5, CELL - 1, CELL - 1, "none", tooltip(document, p))
  else
    drawing:rect(x, y, CELL, CELL, theme.node_class(owner), tooltip(document, p))
  end
  if routed == owner then return end
  drawing:rect(x + 4, y + 4, CELL - 8, CELL - 8, "paper", tooltip(document, p))
  if routed == -1 then return drawing:rect(x + 5, y + 5, CELL - 10, CELL - 10, "held", tooltip(document, p)) end
  drawing:rect(x + 6, y + 6, CELL - 12, CELL - 12, theme.node_class(routed), tooltip(document, p))
end

local function node_legend(drawing, document, y)
  local x, limit = LEFT, drawing.width - 40
  for i, name in ipairs(document.environment.nodes) do
    local shown = short(name, 16)
    local width = 30 + math.min(#shown, 16) * 6.4
    if x + width > limit then return drawing:text(x, y + 11, ("and %d more"):format(#document.environment.nodes - i + 1), "dim") end
    drawing:rect(x, y + 1, 12, 12, theme.node_class(i))
    drawing:text(x + 17, y + 11, shown, "dim")
    x = x + width
  end
end

--- The owner as colour; the node that operations go to instead as a square within.
---@param document table
---@return wingman.report.svg|nil
function M.routes(document)
  if not document.partitions then return nil end
  local drawing, below = new_drawing(document, "owner, and where operations go instead")
  for p = 1, document.environment.partition_count do route_cell(drawing, document, p) end
  node_legend(drawing, document, below)
  return drawing
end

return M
