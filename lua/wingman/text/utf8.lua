--- Text from servers and scripts, made fit for a format. Names are hostile: what
--- does not belong into a text of that format never gets there.
local M = {}

local REPLACEMENT = "\239\191\189" -- U+FFFD

-- How long the sequence at `i` is, when it is one that UTF-8 allows (no surrogates,
-- nothing in a longer form than needed, nothing above U+10FFFF).
local function sequence_length(text, i)
  local a, b, c, d = text:byte(i, i + 3)
  local function tail(x) return x and x >= 0x80 and x < 0xc0 end
  if a < 0x80 then return 1 end
  if a >= 0xc2 and a < 0xe0 then return tail(b) and 2 end
  if a >= 0xe0 and a < 0xf0 then
    if not tail(b) or not tail(c) then return nil end
    if a == 0xe0 and b < 0xa0 or a == 0xed and b >= 0xa0 then return nil end
    return 3
  end
  if a >= 0xf0 and a < 0xf5 then
    if not tail(b) or not tail(c) or not tail(d) then return nil end
    if a == 0xf0 and b < 0x90 or a == 0xf4 and b >= 0x90 then return nil end
    return 4
  end
end

--- The text with U+FFFD for each byte that is not UTF-8.
---@param text string
---@return string
function M.clean(text)
  if not text:find "[\128-\255]" then return text end
  local parts, i = {}, 1
  while i <= #text do
    local length = sequence_length(text, i)
    parts[#parts + 1] = length and text:sub(i, i + length - 1) or REPLACEMENT
    i = i + (length or 1)
  end
  return table.concat(parts)
end

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

--- Text for an element or an attribute of HTML, SVG or XML. Characters that XML 1.0
--- does not have become U+FFFD, line ends and tabs blanks.
---@param text any
---@return string
function M.escape(text)
  local clean = M.clean(tostring(text)):gsub("[\t\r\n]", " "):gsub("[%z\1-\8\11\12\14-\31\127]", REPLACEMENT)
  clean = clean:gsub("\239\191[\190\191]", REPLACEMENT):gsub("\194[\128-\159]", REPLACEMENT)
  return (clean:gsub("[&<>\"']", entities))
end

--- The text, or as much of it as `most` characters hold with an ellipsis.
---@param text string
---@param most integer
---@return string
function M.short(text, most)
  local count, cut = 0, nil
  for at in M.clean(text):gmatch "()[^\128-\191][\128-\191]*" do
    count = count + 1
    if count == most then cut = at end
  end
  return count > most and M.clean(text):sub(1, cut - 1) .. "…" or text
end

return M
