--- Where tokens come from: a string, or a function that returns one and may wait.
---
--- Servers look at a token once, in the handshake. Neither family checks `exp` on an
--- open connection, and neither takes a new token there. So nothing happens to an open
--- connection when its token expires, and "before expiry" means what a reconnect needs:
--- the function is asked for every new connection, and again ahead of the `exp` of the
--- token at hand: a fifth of its life, at most 60 s. The token at hand stands in when
--- the function fails just when a connection needs one.
local cjson = require "cjson"
local core = require "wingman.core"
local loop = require "wingman.loop"
local script_traceback = require "wingman.base.script_traceback"

local M = {}

--- How long before `exp` the next token is asked for: this share of the time that is
--- left, at most so many seconds.
local AHEAD_SHARE, AHEAD_MAX = 0.2, 60
--- Seconds between two such questions, at least; and after one that brought nothing.
local ASK_AT_MOST_EVERY, ASK_AGAIN_AFTER = 1, 5

--- Why there is no token for a server that asks for one, and what to do.
M.NO_TOKEN = "the server asks for a token: set the option auth.token, "
  .. "or for the commands of wingman --token-file or the variable WINGMAN_TOKEN"

local digits = {}
for i = 1, 64 do
  local digit = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"):sub(i, i)
  digits[digit] = i - 1
end

-- The text of a part of a JWT: base64url without padding.
local function base64url(part)
  local bytes, bits, held = {}, 0, 0
  for digit in part:gmatch "." do
    if not digits[digit] then return nil end
    held, bits = held * 64 + digits[digit], bits + 6
    if bits >= 8 then
      bits = bits - 8
      bytes[#bytes + 1] = string.char(math.floor(held / 2 ^ bits))
      held = held % 2 ^ bits
    end
  end
  return table.concat(bytes)
end

--- When a token expires, in Unix seconds; nil when it does not say so, or is no JWT.
---@param token string
---@return number|nil
function M.expiry(token)
  local part = token:match "^[^.]+%.([^.]+)%.[^.]*$"
  local text = part and base64url(part)
  if not text then return nil end
  local ok, payload = pcall(cjson.decode, text)
  return ok and type(payload) == "table" and type(payload.exp) == "number" and payload.exp or nil
end

---@class wingman.token_source
---@field private source string|function|nil
---@field private held string|nil  the last token that the function gave
local methods = {}
methods.__index = methods

---@class wingman.token_source_host
---@field renewed fun(token: string)  a new token came ahead of the old one's end
---@field log fun(level: string, event: string, fields: table)

---@param source string|function|nil
---@param timeout number  seconds that the function may take
---@param host wingman.token_source_host
---@return wingman.token_source
function M.new(source, timeout, host)
  return setmetatable({ source = source, timeout = timeout, host = host }, methods)
end

--- Whether another token may come without the script's doing.
function methods:may_change() return type(self.source) == "function" end

--- The text without tokens in it: what a server or a script's error says may repeat one.
---@param text string
function methods:scrubbed(text)
  for _, token in ipairs { self.held or "", type(self.source) == "string" and self.source or "" } do
    if token ~= "" then text = text:gsub(token:gsub("%p", "%%%0"), "(token)") end
  end
  return (text:gsub("eyJ[%w_-]+[%w_.-]*", "(token)")) -- any JWT, also one that was cut off
end

local function time_left(self)
  local expiry = self.held and M.expiry(self.held)
  return expiry and expiry - core.wall_ms() / 1000
end

local function call(source)
  local ok, value = xpcall(source, script_traceback.of)
  if not ok then return nil, "auth.token: " .. tostring(value) end
  if type(value) ~= "string" or value == "" then return nil, "auth.token: the function returned no string" end
  if not core.utf8_valid(value) then return nil, "auth.token: what the function returned is not valid UTF-8" end
  return value
end

-- A function that takes too long is not waited for any longer.
local function ask_function(self)
  local source = self.source
  local token, why = loop.spawn(call, source):wait(self.timeout)
  if self.source ~= source then return nil, "another token was set" end
  if token then self.held = token end
  if why == "timeout" then why = ("auth.token: the function gave no token within %g s"):format(self.timeout) end
  return token, why and self:scrubbed(why)
end

local renew_in

local function renew(self)
  local before = self.held
  local token, why = ask_function(self)
  if self.closed or not self:may_change() then return end
  if not token then self.host.log("warn", "token_function", { error = why }) end
  if token and token ~= before then
    self:expect_expiry()
    return self.host.renewed(token)
  end
  renew_in(self, ASK_AGAIN_AFTER)
end

function renew_in(self, seconds)
  if self.timer then self.timer:cancel() end
  self.timer = loop.timer(seconds, function()
    self.timer = nil
    loop.spawn(renew, self)
  end)
end

--- (Re)starts the timer for the next token ahead of this one's end.
function methods:expect_expiry()
  local left = time_left(self)
  if not left then return end
  local wait = left - math.min(AHEAD_MAX, left * AHEAD_SHARE)
  renew_in(self, left > 0 and math.max(ASK_AT_MOST_EVERY, wait) or ASK_AGAIN_AFTER)
end

--- A token for a new connection; nil and why there is none. Waits.
---@return string|nil token, string|nil why
function methods:ask()
  local source = self.source
  if source == nil then
    return nil, M.NO_TOKEN
  end
  if type(source) == "string" then return source end
  local token, why = ask_function(self)
  if self.closed then return nil, "the client was closed" end
  if self.source ~= source then return self:ask() end
  if not token and (time_left(self) or 0) > 0 then
    self.host.log("warn", "token_function", { error = why })
    token = self.held
  end
  if not token then return nil, why end
  self:expect_expiry()
  return token
end

local function forget(self)
  if self.timer then self.timer:cancel() end
  self.timer, self.held = nil, nil
end

--- Another token or function from now on.
---@param source string|function
function methods:set(source)
  forget(self)
  self.source = source
end

--- Ends its timer.
function methods:close()
  self.closed = true
  forget(self)
end

return M
