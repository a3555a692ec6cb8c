--- Tracebacks for the author of a script: the frames of the script, without those of
--- Wingman's own files between and below them. An error whose place is in one of Wingman's
--- files is a mistake of Wingman: then every frame is shown.
local M = {}

local getinfo = debug.getinfo

-- "@/somewhere/lua/wingman/": what the sources of our own functions begin with; and what
-- they do when they are loaded by the path of a checkout, as busted does.
local OWN, IN_CHECKOUT = getinfo(1, "S").source:match "^(@.*)base/script_traceback%.lua$", "@lua/wingman/"
--- Frames that are shown at most.
local MOST = 30

--- Whether a function is in one of Wingman's own files.
---@param source string  as debug.getinfo gives it
---@return boolean
function M.is_own(source)
  return source:sub(1, #OWN) == OWN or source:sub(1, #IN_CHECKOUT) == IN_CHECKOUT
end


-- The place at the beginning of an error, as debug.getinfo shortens it, is in one of our files.
local function is_of_ours(message)
  local place = message:match "^(%S+%.lua):%d+: "
  return place ~= nil and place:find("lua/wingman/", 1, true) ~= nil
end

--- An error without the place in front of it, where that is a line of Wingman's own files.
---@param err any
---@return any
function M.without_own_place(err)
  if type(err) ~= "string" or not is_of_ours(err) then return err end
  return (err:gsub("^%S+%.lua:%d+: ", "", 1))
end

local function describe(info)
  if info.what == "main" then return "in main chunk" end
  if info.name then return ("in function '%s'"):format(info.name) end
  if info.what == "C" then return "in a C function" end
  return ("in function <%s:%d>"):format(info.short_src, info.linedefined)
end

-- The frames as lines; of `co`, or of the running coroutine.
local function frames(co, level)
  local lines, after_own = {}, false
  while #lines < MOST do
    local info = co and getinfo(co, level, "Sln") or not co and getinfo(level + 1, "Sln")
    if not info then break end
    level = level + 1
    local is_c = info.what == "C"
    -- A C function below or above our own frames is one that these called, or were called by.
    if M.is_own(info.source) then after_own = true
    elseif not is_c then
      lines[#lines + 1] = ("\t%s:%d: %s"):format(info.short_src, info.currentline, describe(info))
      after_own = false
    elseif not after_own and #lines > 0 then
      lines[#lines + 1] = "\t[C]: " .. describe(info)
    end
  end
  while #lines > 0 and lines[#lines]:match "^\t%[C%]" do lines[#lines] = nil end
  return lines
end

--- An error as text, with the frames of the script; for xpcall, or of the coroutine that it
--- ended. What has a traceback is left as it is, and so are errors that are no texts.
---@param err any
---@param co thread|nil
---@return any
function M.of(err, co)
  if type(err) ~= "string" then return err end
  if err:find("\nstack traceback:", 1, true) then return err end
  if is_of_ours(err) then return co and debug.traceback(co, err) or debug.traceback(err, 2) end
  local lines = frames(co, co and 0 or 2)
  if #lines == 0 then return err end
  return err .. "\nstack traceback:\n" .. table.concat(lines, "\n")
end

return M
