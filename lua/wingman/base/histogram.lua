--- Latency recording with a fixed relative precision, over a wide range.
---
--- A histogram keeps whole numbers (microseconds, say) to 1 .. 5 significant
--- digits. Recording takes the same short time whatever was recorded before,
--- and allocates nothing. Two histograms add up exactly, so every worker can
--- have its own.
---
---   local latency = histogram.new(60e6, 3)      -- up to a minute in us
---   latency:record(812)
---   print(latency:percentile(99.9))
---   latency:hgrm("latency.hgrm", 1000)          -- in ms, for an HDR plotter

local core = require "wingman.core"

local M = {}

---@class wingman.histogram
---@field record fun(self: wingman.histogram, value: number) the whole part of a number >= 0; what is above the largest value counts as that and as an overflow
---@field record_n fun(self: wingman.histogram, value: number, count: integer) the same value several times
---@field merge fun(self: wingman.histogram, from: wingman.histogram) adds the other one's counts
---@field reset fun(self: wingman.histogram) forgets everything
---@field count fun(self: wingman.histogram): integer how many values were recorded
---@field overflows fun(self: wingman.histogram): integer how many were above the largest value
---@field min fun(self: wingman.histogram): integer exact; 0 when empty
---@field max fun(self: wingman.histogram): integer exact, at most the largest value; 0 when empty
---@field mean fun(self: wingman.histogram): number of all values; 0 when empty
---@field stddev fun(self: wingman.histogram): number their standard deviation
---@field percentile fun(self: wingman.histogram, percentile: number): integer 0 .. 100
---@field count_to fun(self: wingman.histogram, value: number): integer how many lie at or below the value, to the precision of the digits
---@field export fun(self: wingman.histogram): wingman.histogram.exported everything in it, as a table for JSON
---@field hgrm fun(self: wingman.histogram, path?: string, scale?: number, ticks_per_half?: integer): string|true|nil, string? the percentile distribution as HDR plotters read it, values divided by `scale` (1): as a string, or to a file, then true or nil and the error
---@field close fun(self: wingman.histogram) frees the memory before the collector does

--- A new, empty histogram.
---@param max number the largest value that is kept as it is, 1 .. 2^53
---@param digits? integer significant digits, 1 .. 5; default 3
---@return wingman.histogram
function M.new(max, digits) return core.histogram(max, digits) end

---@class wingman.histogram.exported
---@field digits integer  significant digits
---@field lowest integer     always 1
---@field limit integer      the largest value that is kept as it is
---@field min integer        exact; 0 when empty
---@field max integer        exact; 0 when empty
---@field overflows integer  how many were above the largest value
---@field counts integer[]   slot, count, slot, count, …: ascending, each slot as its distance to the one before

--- The histogram that `export` made the table of: every count, and the bounds.
---@param exported wingman.histogram.exported|table
---@return wingman.histogram|nil, string|nil err  what is wrong with the table
function M.import(exported) return core.histogram_import(exported) end

return M
