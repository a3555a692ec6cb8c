--- What the specs of the simulated cluster share: connections in its memory
--- (commands inject and take-frames), and frames as text that can be compared.
local core = require "wingman.core"
local loop = require "wingman.loop"
local vectors = require "spec.core.support"

local byte, concat = string.byte, table.concat

local M = { hex = vectors.hex, unhex = vectors.unhex, vectors = vectors.vectors }

--- The secret that the tokens in frames.json are signed with.
M.secret = "topgun-secret-dev"

-- Connections without sockets ---------------------------------------------------

---@class spec.sim.connection
---@field frames {text: boolean, bytes: string}[]  received and not taken yet
---@field closed {code: integer, reason: string}|nil
local connection = {}
connection.__index = connection

local names = 0

--- A connection to a node that has not sent anything.
function M.connect(cluster, node)
  names = names + 1
  local self = setmetatable({ cluster = cluster, node = node, name = "c" .. names, frames = {} }, connection)
  assert(cluster:command(("inject %s %s"):format(node, self.name)))
  return self
end

--- Sends frames, one right after the other.
---@param frames string[]
function connection:send_all(frames, text)
  local words = { text and "inject-text" or "inject", self.node, self.name }
  for _, bytes in ipairs(frames) do words[#words + 1] = M.hex(bytes) end
  assert(self.cluster:command(concat(words, " ")))
end

function connection:send(bytes, text) self:send_all({ bytes }, text) end

function connection:message(message) self:send(core.encode(message)) end

function connection:poll()
  local answer = assert(self.cluster:command("take-frames " .. self.name))
  for _, frame in ipairs(answer.frames) do
    self.frames[#self.frames + 1] = { text = frame.text, bytes = M.unhex(frame.hex) }
  end
  self.closed = answer.closed
end

--- Waits until at least `count` frames have come, or `seconds` (30) are over.
function connection:expect(count, seconds)
  loop.wait_until(function()
    self:poll()
    return #self.frames >= count
  end, seconds or 30)
end

--- Takes the next frame, waiting for it; decoded, a BATCH opened. nil after `seconds`.
function connection:receive(seconds)
  self.messages = self.messages or {}
  if #self.messages == 0 then self:expect(1, seconds) end
  for _, frame in ipairs(self.frames) do
    if frame.text then
      self.messages[#self.messages + 1] = frame
    else
      for _, inner in ipairs(core.unbatch(frame.bytes)) do
        self.messages[#self.messages + 1] = core.decode(inner)
      end
    end
  end
  self.frames = {}
  return table.remove(self.messages, 1)
end

--- Authenticates; what came before is forgotten.
function M.authenticated(cluster, node)
  local self = M.connect(cluster, node)
  self:message { type = "AUTH", token = cluster.token }
  self:expect(2)
  assert(#self.frames == 2, "no answer to AUTH")
  self.frames = {}
  return self
end

-- Frames as text ----------------------------------------------------------------

-- Forms of MessagePack by their first byte, from the specification.
local widths = { [0xca] = 4, [0xcb] = 8, [0xcc] = 1, [0xcd] = 2, [0xce] = 4, [0xcf] = 8, [0xd0] = 1, [0xd1] = 2,
  [0xd2] = 4, [0xd3] = 8, [0xd4] = 2 }
local texts = { [0xd9] = 1, [0xda] = 2, [0xdb] = 4, [0xc4] = 1, [0xc5] = 2, [0xc6] = 4 }
local containers = { [0xdc] = 2, [0xdd] = 4, [0xde] = 2, [0xdf] = 4 }

local function big_endian(bytes, pos, width)
  local value = 0
  for i = 0, width - 1 do value = value * 256 + byte(bytes, pos + i) end
  return value
end

--- Ids of nodes and what the system chooses: ports.
local function masked_text(text)
  return (text:gsub("^(ws://[%w.]+):%d%d+$", "%1:PORT"):gsub("^solo$", "node-1"):gsub("^rs%-1$", "node-1")
    :gsub("^rn%-(%d)$", "node-%1"))
end

local function is_time(bytes, pos)
  local value = core.decode(bytes:sub(pos, pos + 8))
  return type(value) == "number" and value > 1.7e12 and value < 3e12
end

local walk

local function walk_map(bytes, pos, count, out, hidden)
  local start, server_made = #out, false
  local counter
  for _ = 1, count do
    local at = #out + 1
    pos = walk(bytes, pos, out, hidden)
    local key = out[at]:match '"(.*)"'
    at = #out + 1
    pos = walk(bytes, pos, out, hidden)
    if hidden[key] then
      for i = #out, at + 1, -1 do out[i] = nil end
      out[at] = "(hidden)"
    end
    if key == "counter" then counter = at end
    if key == "nodeId" and out[at]:match '"node%-%d"' and #out - start > 2 then server_made = true end
  end
  -- How often a server looked at its clock within a millisecond is its business.
  if server_made and counter then out[counter] = "(counter)" end
  return pos
end

--- Appends each item as its first byte (which form was chosen) and its content.
function walk(bytes, pos, out, hidden)
  local lead = byte(bytes, pos)
  local form = ("%02x"):format(lead)
  local size, header
  if lead >= 0xa0 and lead < 0xc0 then
    size, header, form = lead - 0xa0, 1, "fixstr"
  elseif texts[lead] then
    size, header = big_endian(bytes, pos + 1, texts[lead]), 1 + texts[lead]
  end
  if size then
    local text = bytes:sub(pos + header, pos + header + size - 1)
    out[#out + 1] = form .. '"' .. masked_text(text) .. '"'
    return pos + header + size
  end
  local count
  if lead >= 0x80 and lead < 0xa0 then
    count, header, form = lead % 16, 1, lead < 0x90 and "fixmap" or "fixarray"
  elseif containers[lead] then
    count, header = big_endian(bytes, pos + 1, containers[lead]), 1 + containers[lead]
  end
  if count then
    out[#out + 1] = form .. "*" .. count
    pos = pos + header
    if lead < 0x90 or lead >= 0xde then return walk_map(bytes, pos, count, out, hidden) end
    for _ = 1, count do pos = walk(bytes, pos, out, hidden) end
    return pos
  end
  local width = widths[lead] or 0
  local content = M.hex(bytes:sub(pos + 1, pos + width))
  if width == 8 and is_time(bytes, pos) then content = "(time)" end
  out[#out + 1] = form .. content
  return pos + 1 + width
end

--- A frame as text, byte for byte but for what varies: times, counters of
--- server-made clocks, node ids, ports, and the values of the `hidden` keys.
---@param hidden table<string, boolean>|nil
function M.masked(bytes, text, hidden)
  if text then return "TEXT " .. bytes end
  local out = {}
  local stop = walk(bytes, 1, out, hidden or {})
  if stop ~= #bytes + 1 then out[#out + 1] = "(and more bytes)" end
  return concat(out, " ")
end

return M
