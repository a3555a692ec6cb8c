--- The page: one file that needs nothing else. It has no script; the drawings are SVG
--- made here, and what they show is in tables, too.
local format = require "wingman.text.quantities"
local sections = require "wingman.report.html.sections"
local theme = require "wingman.report.plot.theme"
local utf8_text = require "wingman.text.utf8"
local verdict = require "wingman.report.model.verdict"
local view = require "wingman.report.model.view"

local M = {}

local escape = utf8_text.escape

-- A browser that obeys it loads and runs nothing, whatever got into the page.
local POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

local function about(document)
  local parts = { document.name }
  local environment = document.environment
  for _, text in ipairs { environment.cluster or false, environment.dialect or false } do
    if text then parts[#parts + 1] = text end
  end
  parts[#parts + 1] = format.timestamp(document.started_at):gsub("T", " ") .. " UTC"
  parts[#parts + 1] = format.duration(document.duration_s)
  if document.seed then parts[#parts + 1] = ("seed %.0f"):format(document.seed) end
  return escape(table.concat(parts, " · "))
end

local function header(document)
  local head = verdict.headline(document)
  local limit, missing = verdict.limit(document), verdict.missing_shards(document)
  local parts = { ('<header class="%s"><h1><b>%s</b> %s</h1><p class="about">%s</p>'):format(head.good and "good" or "bad",
    head.word, escape(head.sentence), about(document)) }
  if not head.good then parts[#parts + 1] = ("<p>%s.</p>"):format(escape(head.work)) end
  if limit then parts[#parts + 1] = ('<p class="late"><b>LIMIT</b> %s</p>'):format(escape(limit)) end
  if missing then parts[#parts + 1] = ('<p class="late"><b>PARTS</b> %s, and <code>wingman report merge</code> judges all</p>'):format(escape(missing)) end
  for _, sentence in ipairs(verdict.overflows(document)) do
    parts[#parts + 1] = ('<p class="late"><b>ABOVE</b> %s</p>'):format(escape(sentence))
  end
  parts[#parts + 1] = "</header>"
  return table.concat(parts)
end

local function numbers_of(document)
  local list = {}
  local function add(name, value, bad) list[#list + 1] = { name, value, bad } end
  local acked = view.count(document, "ops_acked")
  if acked > 0 or view.count(document, "ops_recorded") > 0 then add("operations/s", format.number(view.per_second(document, acked))) end
  for _, name in ipairs { "reads", "queries" } do
    local count = view.count(document, name)
    if count > 0 then add(name .. "/s", format.number(view.per_second(document, count))) end
  end
  local function add_latency(of, metric)
    add(of .. "p50", format.quantity(metric.p50, metric.unit))
    add(of .. "p99", format.quantity(metric.p99, metric.unit))
    add(of .. "p99.9", format.quantity(metric.p99_9, metric.unit))
    add(of .. "max", format.quantity(metric.max, metric.unit))
  end
  local latencies = view.latencies(document)
  for _, one in ipairs(latencies) do add_latency(one.kind.name == "write" and #latencies == 1 and "" or one.kind.name .. " ", one.metric) end
  local iterations = #latencies == 0 and view.main_latency(document)
  if iterations then add_latency("iteration ", iterations) end
  local lag = view.total(document, "replica_lag")
  if lag and lag.count > 0 then add_latency("seen after ", lag) end
  local live = view.total(document, "live_latency")
  if live and live.count > 0 then add_latency("row after ", live) end
  local unacknowledged, known = view.count(document, "ops_unacknowledged")
  if known then add("unacknowledged", format.count(unacknowledged), unacknowledged > 0) end
  for _, name in ipairs { "reads", "queries" } do
    local failed = view.count(document, name .. "_failed")
    if failed > 0 then add(name .. " failed", format.count(failed), true) end
  end
  for metric, name in pairs { replica_unseen = "seen by no other client", replica_lost = "lost by nodes" } do
    local count = view.count(document, metric)
    if count > 0 then add(name, format.count(count), true) end
  end
  add("limit", document.limit, document.limit ~= "none")
  local worst
  for _, failover in ipairs(document.failovers) do worst = math.max(worst or 0, failover.first_ack_s or math.huge) end
  if worst then add("failover", worst == math.huge and "never" or format.duration(worst), worst == math.huge) end
  return list
end

local function numbers(document)
  local parts = { '<dl class="numbers">' }
  for _, n in ipairs(numbers_of(document)) do
    parts[#parts + 1] = ("<div><dt>%s</dt><dd%s>%s</dd></div>"):format(escape(n[1]), n[3] and ' class="bad"' or "", escape(n[2]))
  end
  parts[#parts + 1] = "</dl>"
  return table.concat(parts)
end

--- The page.
---@param document table
---@return string
function M.format(document)
  local head = verdict.headline(document)
  local parts = {
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
    ('<meta http-equiv="Content-Security-Policy" content="%s">'):format(POLICY),
    '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">',
    ("<title>%s: %s</title>"):format(head.word, escape(document.name)),
    "<style>", theme.drawing, theme.page, "</style></head><body><main>", header(document), numbers(document),
  }
  for _, section in ipairs(sections) do
    local body = section.body(document)
    if body and body ~= "" then
      parts[#parts + 1] = ('\n<section id="%s"><h2>%s</h2>%s%s</section>'):format(section.id, section.title,
        section.text and ('<p class="dim">%s</p>'):format(section.text) or "", body)
    end
  end
  parts[#parts + 1] = ("\n<footer>Wingman %s, %s</footer></main></body></html>\n"):format(
    escape(document.environment.wingman or ""), document.schema)
  return table.concat(parts)
end

return M
