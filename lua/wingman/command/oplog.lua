--- `wingman oplog`: what is in an op log's file, and what can be saved of a damaged one.
local cjson = require "cjson"
local command_line = require "wingman.options.arguments"
local core = require "wingman.core"
local nearest = require "wingman.base.nearest"
local text_table = require "wingman.text.table"
local usage = require "wingman.options.usage"

local M = {}

M.help = [[
usage: wingman oplog inspect FILE [--json]
       wingman oplog salvage FILE [--out NEW] [--json]

Examines the file of an op log (the option oplog.path), and recovers a damaged one.

  inspect  print the format, the id of the client, the numbers of pending operations, of
           acknowledged ones and of dead letters, and whether the file is damaged. The
           file may be in use
  salvage  write the intact operations and dead letters to a new file, which a client can
           open. FILE itself is not changed

Acknowledged operations come from a 0.11 cluster. They are kept for a moment in case its
membership changes, and a client that opens the file repeats them.

  --out NEW  name of the new file (default: FILE.salvaged); an existing file is refused
  --json     print one JSON object

exit codes: 0 the file is intact; 1 it is damaged, or cannot be read or written; 2 usage
error
]]

local MISSING = [[
  The content of a damaged part is unknown: operations recorded in it are missing, and some of
  the saved operations may have been acknowledged already; they would be sent once more.
]]

local count = text_table.count

local function usage_error(message) return usage.refuse("oplog", message) end

local function say_error(options, what, reason, problem)
  if options.json then io.write(cjson.encode { file = options.file, error = reason, problem = problem }, "\n") end
  io.stderr:write(("wingman oplog: '%s' cannot be %s: %s\n"):format(options.file, what, reason))
  return 1
end

local function contents(pending, acknowledged, letters)
  return ("%s pending operations, %s acknowledged ones and %s dead letters"):format(count(pending), count(acknowledged), count(letters))
end

local function state_of(found)
  if found.in_use then return "a client has it open; these are the numbers of its last commit" end
  if not found.damaged then return "whole" end
  local text = "damaged: " .. found.damage
  if found.pending_written then
    text = ("%s. At its last commit it had %s"):format(text,
      contents(found.pending_written, found.acknowledged_written, found.dead_letters_written))
  end
  return text
end

local function write_table(file, found)
  local rows = {
    { "file", ("%s, %s bytes, format %d"):format(file, count(found.bytes), found.format) },
    { "pending operations", count(found.pending) },
    { "acknowledged, kept", count(found.acknowledged) },
    { "dead letters", count(found.dead_letters) },
    { "state", state_of(found) },
  }
  if found.client then table.insert(rows, 2, { "client", found.client }) end
  io.write(text_table.format(rows, { indent = "  " }))
end

-- The object for programs: what was found and the files' names.
local function write_json(found, options)
  found.file, found.out = options.file, options.out
  io.write(cjson.encode(found), "\n")
end

local commands = {}

function commands.inspect(options)
  if options.out then return usage_error "inspect: --out is for salvage" end
  local found, reason, problem = core.oplog_inspect(options.file)
  if not found then return say_error(options, "inspected", reason, problem) end
  if options.json then write_json(found, options) else write_table(options.file, found) end
  if found.damaged and not options.json then
    io.write(("\n  `wingman oplog salvage %s` writes what is whole into a new file.\n"):format(options.file))
  end
  return found.damaged and 1 or 0
end

function commands.salvage(options)
  options.out = options.out or options.file .. ".salvaged"
  local found, reason, problem = core.oplog_salvage(options.file, options.out)
  if not found then return say_error(options, "salvaged to '" .. options.out .. "'", reason, problem) end
  if options.json then
    write_json(found, options)
    return found.damaged and 1 or 0
  end
  write_table(options.file, found)
  io.write(("\n  Saved %s to %s.\n"):format(contents(found.pending, found.acknowledged, found.dead_letters), options.out))
  if found.damaged then
    io.write(MISSING)
  end
  return found.damaged and 1 or 0
end

M.RULES = { out = { type = "string" }, json = { type = "boolean" } }

--- The command.
---@param arguments string[]
---@return integer exit_code
function M.main(arguments)
  local options, wrong = command_line.read(M.RULES, arguments)
  local code = usage.answer("oplog", M.help, options, wrong)
  if code then return code end
  local name, file, second = unpack(options.words)
  if not name then return usage_error "inspect or salvage is expected" end
  if not commands[name] then
    return usage_error(("'%s' is neither inspect nor salvage%s"):format(name, nearest.hint(name, commands)))
  end
  if second then return usage_error(("%s: one file is expected, and '%s' is a second one"):format(name, second)) end
  if not file then return usage_error(name .. ": a file is missing") end
  options.file = file
  return commands[name](options)
end

return M
