--- `wingman report`: shows, compares and merges reports.
local command_line = require "wingman.options.arguments"
local exit_codes = require "wingman.report.exit_codes"
local json = require "wingman.report.model.json"
local nearest = require "wingman.base.nearest"
local report = require "wingman.report"
local same_file = require "wingman.report.same_file"
local usage = require "wingman.options.usage"
local verdict = require "wingman.report.model.verdict"

local M = {}

M.help = [[
usage: wingman report show FILE... [OPTIONS]
       wingman report diff FILE FILE [OPTIONS]
       wingman report merge FILE... [OPTIONS]

Shows, compares and merges reports of load tests. FILE is a report in JSON, written by
--out json=FILE.

  show   print the summary of each report; with --out, convert it
  diff   tell whether the second run is better or worse than the first, beyond the noise
         of the two runs
  merge  merge the reports of all shards of a run, or of one test on several machines.
         Counts and histograms add up exactly. The exit code is the verdict of the whole
         run, which no shard can give alone

  --out FORMAT=FILE    of show (with one FILE) and merge: write the report as csv, hgrm,
                       html, json, junit, prometheus, svg or text; FILE - is standard
                       output; may be repeated
  --json               print JSON: the report, or the comparison
  --tolerance PERCENT  of diff: ignore changes of throughput and latency up to this size
                       (default 0)
  --strict             of merge: fail when a generator was late or dropped iterations

exit codes: 0 done; 1 a file cannot be read or written, or the reports do not fit
together; 2 usage error
  diff   0 not worse; 99 worse; 97 undecided: too much noise, or runs too short
  merge  0 passed; 99 a threshold failed for the whole run, or ended a shard early;
         98 --strict; 96 shards are missing; 1 a shard ended with an error; 130 a shard
         was interrupted
]]

local function fail(message)
  io.stderr:write("wingman report: ", message, "\n")
  return 1
end

local function usage_error(message) return usage.refuse("report", message) end

M.RULES = {
  out = { type = "table" },
  tolerance = { type = "number", default = 0, min = 0, max = 1000, expected = "a number of per cent from 0 to 1000",
    parse = function(text) return tonumber((text:gsub("%s*%%$", ""))) end },
  json = { type = "boolean" }, strict = { type = "boolean" },
}

-- { command =, files =, outs =, json =, strict =, tolerance = }, or { help = true }; nil and what is wrong.
local function parse(words)
  local options, wrong = command_line.read(M.RULES, words)
  if not options or options.help then return options, wrong end
  for _, target in ipairs(options.out) do
    local format, why = report.parse_target(target)
    if not format then return nil, "--out " .. why end
  end
  wrong = same_file.find(options.out)
  if wrong then return nil, "--out: " .. wrong end
  local command, files = options.words[1], { unpack(options.words, 2) }
  return { command = command, files = files, outs = options.out, json = options.json, strict = options.strict, tolerance = options.tolerance }
end

local function read_all(files)
  local documents = {}
  for i, file in ipairs(files) do
    local document, err = report.read(file)
    if not document then return nil, err end
    documents[i] = document
  end
  return documents
end

-- The summary or JSON, and the other formats.
local function put_out(document, options)
  for _, target in ipairs(options.outs) do
    local ok, err = report.write(document, target)
    if not ok then return fail(err) end
  end
  local on_stdout = false
  for _, target in ipairs(options.outs) do on_stdout = on_stdout or target:match "=%-$" ~= nil end
  if not on_stdout then
    io.write(options.json and json.encode(document) or report.summary(document, report.terminal()))
  end
  return 0
end

local commands = {}

function commands.show(options)
  if #options.files == 0 then return usage_error "show: a file is missing" end
  if #options.files > 1 and #options.outs > 0 then return usage_error "show: --out takes one file" end
  if options.strict then return usage_error "show: --strict is for merge" end
  local documents, err = read_all(options.files)
  if not documents then return fail(err) end
  for i, document in ipairs(documents) do
    if i > 1 and not options.json then io.write "\n" end
    local code = put_out(document, options)
    if code ~= 0 then return code end
  end
  return 0
end

function commands.merge(options)
  if #options.files == 0 then return usage_error "merge: a file is missing" end
  local documents, err = read_all(options.files)
  if not documents then return fail(err) end
  local merged, why = report.merge(documents, options.files)
  if not merged then return fail(why) end
  local code = put_out(merged, options)
  if code ~= 0 then return code end
  local missing = verdict.missing_shards(merged)
  if not missing then
    if options.strict then exit_codes.tell_strict("wingman report", merged) end
    return exit_codes.of(merged, options.strict)
  end
  io.stderr:write("wingman report: ", missing, "; what is missing may change the verdict\n")
  return exit_codes.parts_missing
end

-- Names that tell two files apart, without the directory that they share.
local function short_names(files)
  local a, b = files[1]:match "[^/]*$", files[2]:match "[^/]*$"
  if a == b then return files end
  return { a, b }
end

local diff_codes = {
  better = 0, same = 0, worse = exit_codes.thresholds_failed, unknown = exit_codes.cannot_tell,
}

function commands.diff(options)
  if #options.files ~= 2 then return usage_error "diff: two files are expected" end
  if #options.outs > 0 then return usage_error "diff: --out is for show and merge" end
  if options.strict then return usage_error "diff: --strict is for merge" end
  local documents, err = read_all(options.files)
  if not documents then return fail(err) end
  local names = short_names(options.files)
  local comparison = report.diff(documents[1], documents[2], { names = names, tolerance = options.tolerance / 100 })
  if options.json then
    if #comparison.notes == 0 then comparison.notes = nil end
    io.write(json.encode_plain(comparison))
  else
    io.write(report.diff_text(comparison, names, report.terminal()))
  end
  return diff_codes[comparison.verdict]
end

--- The command.
---@param arguments string[]
---@return integer exit_code
function M.main(arguments)
  local options, wrong = parse(arguments)
  local code = usage.answer("report", M.help, options, wrong)
  if code then return code end
  local name = options.command
  if not name then return usage_error "show, diff or merge is expected" end
  if not commands[name] then return usage_error(("'%s' is none of show, diff, merge%s"):format(name, nearest.hint(name, commands))) end
  code = commands[name](options)
  local flushed, why = io.stdout:flush()
  if not flushed then return fail("standard output: " .. tostring(why)) end
  return code
end

return M
