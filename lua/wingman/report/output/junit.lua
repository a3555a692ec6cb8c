--- Thresholds and checks as JUnit test cases, for what continuous integration shows
--- of a build. The order of elements and attributes is that of the schema that Ant's
--- reports follow, which the laxer readers take as well.
local format = require "wingman.text.quantities"
local utf8_text = require "wingman.text.utf8"
local verdict = require "wingman.report.model.verdict"

local M = {}

local escape = utf8_text.escape

-- A test case; `failure` is the message of a failed one.
local function case(class, name, seconds, failure, kind)
  local head = ('    <testcase name="%s" classname="%s" time="%.3f"'):format(escape(name), escape(class), seconds)
  if not failure then return head .. "/>" end
  return ('%s>\n      <%s message="%s" type="%s">%s</%s>\n    </testcase>'):format(head, kind, escape(failure),
    escape(class), escape(failure), kind)
end

-- Of a part there is none: its thresholds are those of the whole.
local function threshold_cases(document, list)
  local failures = 0
  for _, threshold in ipairs(verdict.is_part(document) and {} or document.thresholds) do
    local failure
    if not threshold.passed then
      failures = failures + 1
      failure = ("%s was %s%s"):format(threshold.metric, verdict.threshold_value(document, threshold),
        threshold.aborted and ", which ended the run" or "")
    end
    list[#list + 1] = case("thresholds", threshold.metric .. " " .. threshold.expression, 0, failure, "failure")
  end
  return failures
end

-- A check on its own fails nothing: a threshold on `checks` does. A case has the same name in
-- every run, by which a build knows it again; the rates are in the output.
local function check_cases(document, list)
  for _, check in ipairs(document.checks) do list[#list + 1] = case("checks", check.name, 0) end
end

local function output(document)
  local lines = { verdict.headline(document).work }
  for _, check in ipairs(document.checks) do
    lines[#lines + 1] = ("check '%s': %s of %s passed"):format(check.name, format.count(check.passed),
      format.count(check.passed + check.failed))
  end
  return table.concat(lines, "\n")
end

-- The run itself: an error when it did not come to its end, a failure with --strict.
local function run_case(document, list)
  local head = verdict.headline(document)
  local broken = document.outcome == "error" or document.outcome == "interrupted"
  local only_reason = document.outcome ~= "passed" and not broken and #verdict.failed_thresholds(document) == 0
  list[#list + 1] = case("run", "the run came to its end", document.duration_s,
    (broken or only_reason) and head.sentence or nil, broken and "error" or "failure")
  return broken and 1 or 0, only_reason and 1 or 0
end

local function property(name, value)
  return ('      <property name="%s" value="%s"/>'):format(escape(name), escape(value))
end

--- The XML text.
---@param document table
---@return string
function M.format(document)
  local cases = {}
  local errors, run_failures = run_case(document, cases)
  local failures = run_failures + threshold_cases(document, cases)
  check_cases(document, cases)
  local limit = verdict.limit(document)
  local properties = { property("outcome", document.outcome), property("generator_late", document.generator_late) }
  if document.seed then properties[#properties + 1] = property("seed", ("%.0f"):format(document.seed)) end
  return table.concat({
    '<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>",
    ('  <testsuite name="%s" timestamp="%s" hostname="localhost" tests="%d" failures="%d" errors="%d" time="%.3f" id="0" package="wingman">')
      :format(escape(document.name ~= "" and document.name or "load test"), format.timestamp(document.started_at), #cases, failures, errors, document.duration_s),
    "    <properties>", table.concat(properties, "\n"), "    </properties>",
    table.concat(cases, "\n"),
    ("    <system-out>%s</system-out>"):format(escape(output(document))),
    ("    <system-err>%s</system-err>"):format(escape(limit or "")),
    "  </testsuite>", "</testsuites>", "",
  }, "\n")
end

return M
