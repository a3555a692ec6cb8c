--- Failovers, each on a line of its own that begins with the loss of the node: how
--- long until the map was asked for, received, the routes recomputed, the first
--- operation acknowledged, the queue drained.
local format = require "wingman.text.quantities"
local scale = require "wingman.report.plot.scale"
local svg = require "wingman.report.plot.svg"
local short = require "wingman.text.utf8".short

local M = {}

local WIDTH, LEFT, RIGHT, TOP, ROW, BOTTOM = 952, 190, 30, 10, 52, 34

--- The steps of a failover, in their order.
M.phases = {
  { field = "map_asked_s", text = "map asked for" },
  { field = "map_received_s", text = "map received" },
  { field = "rerouted_s", text = "rerouted" },
  { field = "first_ack_s", text = "first acknowledgement" },
  { field = "drained_s", text = "drained" },
}

local function last_of(failover)
  local last = 0
  for _, phase in ipairs(M.phases) do last = math.max(last, failover[phase.field] or 0) end
  return last
end

-- A bar for each phase from the end of the one before; the first acknowledgement, which
-- ends the outage, is named.
local function draw_row(drawing, failover, x, y)
  drawing:text(0, y + 13, short(failover.node, 16) .. " lost at " .. format.duration(failover.at_s))
  drawing:text(0, y + 27, short(failover.reason or "", 30), "dim")
  local from = 0
  for i, phase in ipairs(M.phases) do
    local at = failover[phase.field]
    if at and at >= from then
      drawing:rect(x(from), y, math.max(1, x(at) - x(from)), 18, "phase" .. i,
        ("%s after %s"):format(phase.text, format.duration(at)))
      from = at
    end
  end
  local ack = failover.first_ack_s
  if not ack then return drawing:text(x(from) + 8, y + 13, "never acknowledged again", "bad") end
  drawing:line(x(ack), y - 3, x(ack), y + 22, "axis")
  local right = x(ack) > WIDTH - 220
  drawing:text(x(ack) + (right and -4 or 4), y + 32, "first acknowledgement " .. format.duration(ack), "title", right and "end" or "start")
end

--- The plot; nil without failovers. The first twenty are drawn.
---@param document table
---@return wingman.report.svg|nil
function M.draw(document)
  local count = math.min(20, #document.failovers)
  if count == 0 then return nil end
  local longest = 0
  for i = 1, count do longest = math.max(longest, last_of(document.failovers[i])) end
  local bottom = TOP + count * ROW
  local drawing = svg.new(WIDTH, bottom + BOTTOM, "failover timeline")
  local x = scale.linear(0, longest > 0 and longest or 1, LEFT, WIDTH - RIGHT)
  for _, tick in ipairs(scale.ticks(0, longest > 0 and longest or 1, 8)) do
    drawing:line(x(tick), TOP - 6, x(tick), bottom, "grid")
    drawing:text(x(tick), bottom + 16, tick == 0 and "lost" or (format.duration(tick):gsub("%.0+ ", " ")), "dim", "middle")
  end
  for i = 1, count do draw_row(drawing, document.failovers[i], x, TOP + (i - 1) * ROW) end
  return drawing
end

return M
