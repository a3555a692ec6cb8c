--- The frames of a client, decoded, with tokens masked.
local cjson = require "cjson"
local core = require "wingman.core"

local M = {}

local secret_names = { token = true, password = true, secret = true, authorization = true }

-- Replaces what may be a token, wherever it is.
local function mask(value, name)
  if type(value) == "string" then
    if secret_names[name] or value:find "^eyJ[%w_%-]+%.[%w_%-]+%." then return ("<masked, %d bytes>"):format(#value) end
    return value
  end
  if type(value) ~= "table" then return value end
  for key, item in next, value do
    if type(item) == "table" or type(item) == "string" then
      value[key] = mask(item, type(key) == "string" and key:lower() or nil)
    end
  end
  return value
end

-- The messages of a frame: more than one in a BATCH envelope.
local function decode(frame, is_text)
  if is_text then
    local ok, message = pcall(cjson.decode, frame)
    return { ok and mask(message) or { type = "?", error = "no JSON" } }
  end
  local inner, err = core.unbatch(frame)
  if not inner then return { { type = "?", error = err } } end
  local messages = {}
  for i, bytes in ipairs(inner) do
    local message, decode_err = core.decode(bytes)
    messages[i] = type(message) == "table" and mask(message) or { type = "?", error = decode_err or "no map" }
  end
  return messages
end

---@class wingman.inspect.frame
---@field outward boolean   sent by this client
---@field node string       its id, or its URL while that is not known
---@field bytes integer     of the whole frame
---@field listening boolean  on a listening connection
---@field messages table[]  decoded, tokens masked; empty when too many frames waited

---@class wingman.inspect.trace
---@field frames integer  so far
---@field stop fun()  ends it

--- Calls `fn(frame)` for every frame in both directions, until `stop()`.
---@param client wingman.client
---@param fn fun(frame: wingman.inspect.frame)
---@return wingman.inspect.trace
function M.start(client, fn)
  if type(fn) ~= "function" then error("inspect.trace: a function is expected, got " .. type(fn), 2) end
  local trace = { frames = 0 }
  local function listen(node, outward, message, bytes, is_text, listening)
    trace.frames = trace.frames + 1
    fn { outward = outward, node = node.id or node.url, bytes = bytes, listening = listening, messages = message ~= "" and decode(message, is_text) or {} }
  end
  function trace.stop()
    client:off("frame", listen)
    if not client.closed and not client.events:has "frame" then client.core:trace(false) end
  end
  client:on("frame", listen)
  client.core:trace(true)
  return trace
end

return M
