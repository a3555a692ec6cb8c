--- Reports of load tests, in the formats that people and programs read. All of
--- them are made from one document (see wingman.report.model.schema):
---
---   local report = require "wingman.report"
---   local document = assert(report.read "run.json")
---   io.write(report.summary(document, report.terminal()))
---   assert(report.write(document, "html=run.html"))
local check_options = require("wingman.options.check").check
local core = require "wingman.core"
local json = require "wingman.report.model.json"
local report_options = require "wingman.report.options"
local sorted = require "wingman.base.sorted"
local summary = require "wingman.report.output.summary"
local terminal = require "wingman.text.terminal"
local validate = require "wingman.report.model.validate"

local M = {}

local formats = {
  json = function(document) return json.encode(document) end,
  csv = function(document) return require "wingman.report.output.csv".format(document) end,
  hgrm = function(document) return require "wingman.report.output.hgrm".format(document) end,
  junit = function(document) return require "wingman.report.output.junit".format(document) end,
  html = function(document) return require "wingman.report.html".format(document) end,
  prometheus = function(document) return require "wingman.report.output.prometheus".format(document) end,
  svg = function(document) return require "wingman.report.plot.percentiles".format(document) end,
  text = function(document) return summary.format(document) end,
}

--- The names of the formats that `write` knows, sorted.
---@return string[]
function M.formats() return sorted.keys(formats) end

--- Splits "FORMAT=FILE", so that a wrong one is refused before the run.
---@param target string
---@return string|nil format, string file  nil and what is wrong
function M.parse_target(target)
  local format, file = target:match "^([^=]*)=(.*)$"
  if not format then return nil, ("'%s': FORMAT=FILE is expected, such as json=run.json"):format(target) end
  if not formats[format] then
    return nil, ("'%s' is not a format of reports; the formats are %s"):format(format, table.concat(M.formats(), ", "))
  end
  if file == "" then return nil, format .. "=: a file's name is missing; - is standard output" end
  return format, file
end

--- Whether a table is a document.
---@type fun(document: any): true|nil, string|nil
M.validate = validate.validate

--- A document in one of its formats, as text.
---@param document table
---@param format string
---@return string|nil, string|nil err
function M.render(document, format)
  if not formats[format] then error(("report.render: '%s' is not a format of reports"):format(tostring(format)), 2) end
  local ok, wrong = validate.validate(document)
  if not ok then return nil, "no valid report: " .. wrong end
  return formats[format](json.in_order(document))
end

--- Writes the document to a file in one of its formats: "json=run.json". The file is
--- either what it was or all of the new text, also when the disk is full; "-" is
--- standard output.
---@param document table
---@param target string  "FORMAT=FILE"
---@return true|nil, string|nil err
function M.write(document, target)
  local format, file = M.parse_target(target)
  if not format then return nil, file end
  local text, err = M.render(document, format)
  if not text then return nil, ("%s: %s"):format(target, err) end
  if file ~= "-" then return core.replace_file(file, text) end
  local written, why = io.stdout:write(text)
  if written then written, why = io.stdout:flush() end
  if not written then return nil, "standard output: " .. tostring(why) end
  return true
end

--- Whether `write` could write there now, so that it is known before the run.
---@param target string  "FORMAT=FILE"
---@return true|nil, string|nil err
function M.check_target(target)
  local format, file = M.parse_target(target)
  if not format then return nil, file end
  if file == "-" then return true end
  return core.replace_file_check(file)
end

--- Reads a document from a JSON file.
---@param path string
---@return table|nil, string|nil err
function M.read(path)
  local file, err = io.open(path, "rb")
  if not file then return nil, err end
  local text, why = file:read "*a"
  file:close()
  if not text then return nil, path .. ": " .. tostring(why) end
  local document, wrong = json.decode(text)
  if not document then return nil, path .. ": " .. wrong end
  return document
end

--- The end of a run for a terminal.
---@param document table
---@param options wingman.report.text_options|nil
---@return string
function M.summary(document, options)
  assert(validate.validate(document))
  return summary.format(document, check_options(report_options.text, options == nil and {} or options, "report.summary", 2))
end

--- How it went, in one line: the first of the summary.
---@param document table
---@return string
function M.headline(document)
  local head = require("wingman.report.model.verdict").headline(document)
  return ("%s  %s\n"):format(head.word, head.sentence)
end

--- The metrics of a document in Prometheus' text format.
---@param document table
---@return string
function M.prometheus(document) return require "wingman.report.output.prometheus".format(document) end

--- One document of the shards of a run, or of the same test on several machines:
--- counts and histograms add exactly, thresholds are measured again.
---@param documents table[]
---@param names string[]|nil  what they are called in errors
---@return table|nil, string|nil err  which do not fit together, and why
function M.merge(documents, names) return require "wingman.report.merge".merge(documents, names) end

--- Compares two runs; see wingman.report.diff for the method.
---@param a table
---@param b table
---@param options wingman.report.diff_options|nil
---@return wingman.report.comparison
function M.diff(a, b, options)
  return require "wingman.report.diff".diff(a, b, check_options(report_options.diff, options == nil and {} or options, "report.diff", 2))
end

--- A comparison for a terminal.
---@param comparison wingman.report.comparison
---@param names string[]
---@param options wingman.report.text_options|nil
---@return string
function M.diff_text(comparison, names, options)
  return require "wingman.report.diff.text".format(comparison, names,
    check_options(report_options.text, options == nil and {} or options, "report.diff_text", 2))
end

--- The latencies of several runs on one percentile plot, as an SVG file's text.
---@param entries { name: string, document: table, metric: string|nil }[]
---@return string|nil, string|nil err
function M.compare_svg(entries) return require "wingman.report.plot.percentiles".compare(entries) end

--- What standard output can show: options for `summary`.
---@type fun(): { colour: boolean, width: integer }
M.terminal = terminal.options

return M
