--- Writes the manual page from the texts of --help, which `cmake --install` has done.
local USAGE = [[
usage: wingman run scripts/package/man_page.lua FOLDER

Writes FOLDER/wingman.1 from what --help says of each command.

exit codes: 0 done, 1 the page cannot be written, 2 usage error
]]
local process = require "wingman.loop.process"
local wingman = require "wingman"

local HELP_TIMEOUT = 60

if arg[1] == "--help" then
  io.write(USAGE)
  return 0
elseif #arg ~= 1 or arg[1]:match "^%-" then
  io.stderr:write(USAGE)
  return 2
end

--- What the executable that runs this says with these arguments.
local function output_of(...)
  local child = assert(process.spawn { file = process.wingman_path(), args = { ... } })
  local text = assert(child:read_all(HELP_TIMEOUT))
  assert(child:wait(HELP_TIMEOUT) == 0, table.concat({ "wingman", ... }, " ") .. " failed")
  child:close()
  return text
end

--- A text as it is, in roff.
local function verbatim(text)
  text = text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("%f[^\n%z]([.'])", "\\&%1")
  return ".nf\n" .. text:gsub("\n*$", "\n") .. ".fi\n"
end

local function section(title, text) return ".SH " .. title .. "\n" .. text end

local function page()
  local overview = output_of "--help"
  local parts = {
    ('.TH WINGMAN 1 "" "wingman %s"\n'):format(wingman._VERSION),
    section("NAME", "wingman \\- Lua\\-scriptable client host for TopGun clusters\n"),
    section("SYNOPSIS", ".B wingman\n.I COMMAND\n[\\fIARGS\\fR]\n"),
    section("COMMANDS", verbatim(overview:gsub("^usage:[^\n]*\n+", ""))),
  }
  for command in overview:gmatch "\n  ([%w-]+)" do
    if command ~= "version" then
      parts[#parts + 1] = section(('"WINGMAN %s"'):format(command:upper()), verbatim(output_of(command, "--help")))
    end
  end
  parts[#parts + 1] = section("SEE ALSO", "README.md, docs/ and scripts/ in share/doc/wingman beside the folder of this page's\n"
    .. "installation; for hosts that load the Lua module, \\fBpkg\\-config wingman\\fR.\n")
  return table.concat(parts)
end

if os.execute(("mkdir -p '%s'"):format(arg[1]:gsub("'", "'\\''"))) ~= 0 then return 1 end
local file, err = io.open(arg[1] .. "/wingman.1", "w")
if not file then
  io.stderr:write("man_page.lua: ", err, "\n")
  return 1
end
file:write(page())
file:close()
