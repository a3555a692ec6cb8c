--- Writes the pages of docs/reference from the code: the API from doc comments, as `help()`
--- shows them at the prompt, and the lists of options, events, metrics, error codes and exit
--- codes. spec/docs/reference_spec.lua fails while a file differs from what this writes.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local USAGE = [[
usage: wingman run scripts/reference.lua

Writes docs/reference/*.md, and the types of options and events, from the code. To be run from the top of the
repository after a doc comment, an option, an event, a metric or a code has changed.

exit codes: 0 done, 1 a file cannot be written, 2 usage error
]]

if arg[1] == "--help" then
  io.write(USAGE)
  return 0
elseif #arg > 0 then
  io.stderr:write(USAGE)
  return 2
end

for path, text in pairs(require "reference.pages"()) do
  local file, err = io.open(path, "w")
  if not file then
    io.stderr:write("reference.lua: ", err, "\n")
    return 1
  end
  file:write(text)
  file:close()
end
