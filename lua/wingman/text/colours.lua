--- The colours of the prompt, few of them: by what a piece of text is.
local M = {}

local codes = {
  string = "32", number = "36", boolean = "35", ["nil"] = "35", comment = "2", opaque = "33",
  error = "31", good = "32", warning = "33", heading = "1",
}

--- The colours of nodes in a strip, in the order of the nodes.
M.strip = { "34", "32", "33", "35", "36", "31", "94", "92", "93", "95", "96", "91" }

local function plain(_, text) return text end

local function coloured(kind, text)
  local code = codes[kind]
  return code and "\27[" .. code .. "m" .. text .. "\27[0m" or text
end

--- A function that paints: `paint("error", text)`. Without colours it returns the text.
---@param enabled boolean
---@return fun(kind: string, text: string): string
function M.painter(enabled) return enabled and coloured or plain end

--- Whether to use colours on a terminal (https://no-color.org).
---@return boolean
function M.wanted()
  local no = os.getenv "NO_COLOR"
  return (no == nil or no == "") and os.getenv "TERM" ~= "dumb"
end

return M
