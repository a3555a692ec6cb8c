--- The help of a load test: `wingman run TEST --help`.
local duration = require "wingman.base.duration"
local escape = require "wingman.base.escape"

local M = {}

-- The comment on top of a script, without its dashes.
local function comment_of(text)
  local lines = {}
  for line in (text or ""):gmatch "([^\n]*)\n" do
    local words = line:match "^%-%-+%s?(.*)$"
    if not words then break end
    lines[#lines + 1] = escape.plain(words)
  end
  return #lines > 0 and table.concat(lines, "\n") .. "\n\n" or ""
end

--- What a test does, and where its options are described.
---@param options table     of the test, checked
---@param script string     its name
---@param text string|nil   the script
---@return string
function M.of(options, script, text)
  local out = { ("usage: wingman run [OPTIONS] %s [OPTIONS]\n\n%s"):format(escape.plain(script), comment_of(text)) }
  for _, one in ipairs(options.scenarios) do
    out[#out + 1] = ("scenario   %s: %s, %s\n"):format(one.name, one.options.executor,
      one.options.seconds < math.huge and duration.text(one.options.seconds) or "without end")
  end
  for _, one in ipairs(options.thresholds) do out[#out + 1] = ("threshold  %s %s\n"):format(escape.plain(one.metric), one.expression) end
  out[#out + 1] = "\nThe options are those of every load test, such as --out, --seed, --workers and --shard: see\nwingman run --help.\n"
  return table.concat(out)
end

return M
