--- A document in Prometheus' text format (version 0.0.4), for a scrape of a live run.
---
--- A metric and its breakdowns are families of their own, so that a sum over one counts
--- nothing twice: wingman_ops_acked_total is the total, wingman_ops_acked_by_node_total
--- the same by node. Trends are histograms with cumulative buckets.
local builtin = require "wingman.metrics.list"
local sorted = require "wingman.base.sorted"
local utf8_text = require "wingman.text.utf8"
local view = require "wingman.report.model.view"

local M = {}

M.content_type = "text/plain; version=0.0.4; charset=utf-8"

-- Upper bounds of buckets, in the metric's unit: of times from 10 us to a minute, of
-- other things from 1 to a million.
local time_bounds, count_bounds = {}, {}
for power = -5, 1 do
  for _, factor in ipairs { 1, 2.5, 5 } do time_bounds[#time_bounds + 1] = tonumber(("%ge%d"):format(factor, power)) end
end
for power = 0, 5 do
  for _, factor in ipairs { 1, 2, 5 } do count_bounds[#count_bounds + 1] = factor * 10 ^ power end
end
time_bounds[#time_bounds] = 60
count_bounds[#count_bounds + 1] = 1e6

local function number(n)
  if n ~= n then return "NaN" end
  if n == math.huge then return "+Inf" end
  if n == -math.huge then return "-Inf" end
  if n == math.floor(n) and math.abs(n) < 2 ^ 53 then return ("%.0f"):format(n) end
  return ("%.12g"):format(n)
end

local function name_of(text)
  local name = utf8_text.clean(text):gsub("[^%w_]", "_"):gsub("[\128-\255]", "_")
  return name:match "^%d" and "_" .. name or name
end

-- A label's name, not one that Prometheus has a meaning for, nor one used before.
local function label_name(text, used)
  local name = name_of(text)
  if name == "" or name == "le" or name == "quantile" or name:match "^__" then name = "tag_" .. name end
  local free, n = name, 1
  while used[free] do
    n = n + 1
    free = name .. "_" .. n
  end
  used[free] = true
  return free
end

local escapes = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }
local function label_value(text) return (utf8_text.clean(text):gsub('[\\"\n]', escapes)) end

-- 'node="a",scenario="b"' of tags; "" without any.
local function labels_of(tags)
  local names, used, parts = sorted.keys(tags), {}, {}
  for i, name in ipairs(names) do parts[i] = ('%s="%s"'):format(label_name(name, used), label_value(tags[name])) end
  return table.concat(parts, ","), names
end

local unit_suffixes = { s = "seconds", ms = "milliseconds", us = "microseconds", bytes = "bytes" }

-- The name of a metric's family, without what its type appends.
local function base_name(metric, tag_names)
  local name = "wingman_" .. name_of(metric.name)
  if metric.type == "counter" then name = name:gsub("_total$", "") end
  for i, tag in ipairs(tag_names) do name = name .. (i == 1 and "_by_" or "_") .. name_of(tag) end
  local suffix = unit_suffixes[metric.unit]
  if suffix and not metric.name:find(suffix, 1, true) then name = name .. "_" .. suffix end
  return name
end

---@class wingman.report.family
---@field name string
---@field kind string
---@field help string
---@field samples string[]

local function family(families, name, kind, help)
  local free, n = name, 1
  while families[free] and (families[free].kind ~= kind or families[free].help ~= help) do
    n = n + 1
    free = kind == "counter" and name:gsub("_total$", "_" .. n .. "_total") or name .. "_" .. n
  end
  families[free] = families[free] or { name = free, kind = kind, help = help, samples = {} }
  return families[free]
end

local function sample(f, suffix, labels, value)
  f.samples[#f.samples + 1] = ("%s%s%s %s"):format(f.name, suffix, labels ~= "" and "{" .. labels .. "}" or "", number(value))
end

local function add_trend(families, name, help, labels, metric)
  local f = family(families, name, "histogram", help)
  local h, step = view.histogram(metric.histogram), view.step(metric)
  local comma = labels ~= "" and "," or ""
  for _, bound in ipairs(view.seconds(metric.unit) and time_bounds or count_bounds) do
    local within = h:count_to(math.floor(bound / step + 1e-6))
    sample(f, "_bucket", ('%s%sle="%s"'):format(labels, comma, number(bound)), within)
  end
  sample(f, "_bucket", ('%s%sle="+Inf"'):format(labels, comma), h:count())
  sample(f, "_sum", labels, metric.mean * metric.count)
  sample(f, "_count", labels, h:count())
  h:close()
end

local adders = {
  counter = function(families, name, help, labels, metric)
    sample(family(families, name .. "_total", "counter", help), "", labels, metric.count)
  end,
  gauge = function(families, name, help, labels, metric)
    if metric.value then sample(family(families, name, "gauge", help), "", labels, metric.value) end
  end,
  rate = function(families, name, help, labels, metric)
    sample(family(families, name .. "_total", "counter", help), "", labels, metric.total)
    sample(family(families, name .. "_passed_total", "counter", help .. ", those that passed"), "", labels, metric.passed)
  end,
  trend = add_trend,
}

local function add_metric(families, metric)
  local known = builtin[metric.name]
  local labels, tag_names = labels_of(metric.tags)
  local help = known and known.about or ("Of the script: %s"):format(metric.name)
  if #tag_names > 0 then help = ("%s, by %s"):format(help, table.concat(tag_names, ", ")) end
  adders[metric.type](families, base_name(metric, tag_names), help, labels, metric)
end

-- What is said of the run itself.
local function add_run(families, document)
  local function add(name, help, labels, value) sample(family(families, name, "gauge", help), "", labels, value) end
  add("wingman_run_info", "The run; always 1", labels_of { name = document.name, script = document.script or "",
    cluster = document.environment.cluster or "", dialect = document.environment.dialect or "" }, 1)
  add("wingman_run_start_time_seconds", "When the run started, in Unix seconds", "", document.started_at)
  add("wingman_run_duration_seconds", "How long the run has lasted", "", document.duration_s)
  add("wingman_run_generator_late", "1 when the generator was late, so that latencies are partly its own", "",
    document.generator_late and 1 or 0)
  add("wingman_run_limit", "What kept the run from more; always 1", labels_of { limit = document.limit }, 1)
  for _, threshold in ipairs(document.thresholds) do
    add("wingman_run_threshold_passed", "1 for a threshold that is kept", labels_of { metric = threshold.metric,
      expression = threshold.expression }, threshold.passed and 1 or 0)
  end
end

local function escape_help(text) return (utf8_text.clean(text):gsub("[\\\n]", escapes)) end

--- The metrics as text.
---@param document table
---@return string
function M.format(document)
  local families, lines = {}, {}
  add_run(families, document)
  for _, metric in ipairs(document.metrics) do add_metric(families, metric) end
  for _, name in ipairs(sorted.keys(families)) do
    local f = families[name]
    lines[#lines + 1] = ("# HELP %s %s"):format(name, escape_help(f.help))
    lines[#lines + 1] = ("# TYPE %s %s"):format(name, f.kind)
    for _, line in ipairs(f.samples) do lines[#lines + 1] = line end
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
