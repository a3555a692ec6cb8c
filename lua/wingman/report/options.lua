--- The options of the functions of wingman.report: one rule each.
local M = {}

--- report.summary and report.diff_text; report.terminal() gives them for standard output.
---@type table<string, wingman.option_rule>
M.text = {
  colour = { type = "boolean", default = false, about = "with colours, as terminals show them" },
  width = { type = "number", default = 80, about = "columns at most" },
  whole_rows = { type = "boolean", default = false, about = "rows of tables are not cut, for programs that read lines" },
}

--- report.diff.
---@type table<string, wingman.option_rule>
M.diff = {
  names = { type = "table", default = { "the first", "the second" }, about = "names of the two runs" },
  tolerance = { type = "number", default = 0, min = 0, about = "a share by which a figure may be worse and still count as the same" },
}

return M
