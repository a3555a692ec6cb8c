--- Dead letters: the writes that no server takes, with the reason, until they are sent again
--- or dropped. With `oplog.path` they are in the file, for the next process.
local core = require "wingman.core"
local errors = require "wingman.base.error"

---@class wingman.client
local methods = {}

---@class wingman.dead_letter
---@field seq number       what set or remove returned
---@field map string  its name
---@field key string  that was written
---@field value any        nil for a removal
---@field removed true|nil  it is a removal
---@field millis number    when it was made, with the counter; as map:record has it
---@field counter number  orders writes of one millisecond
---@field reason string    the server's words, or the rule that it breaks
---@field node string|nil  the id of the node that rejected it (its URL while that is not known); nil: none was asked

--- The letters of a client, the oldest write first, as they were at the call.
---@class wingman.dead_letters
---@field displaced integer  letters that were removed because there were more than 10,000, or 16 MiB of them
---@field package client wingman.client
---@field [integer] wingman.dead_letter  the oldest write first
local letters = {}
letters.__index = letters

local function no_letter(seq)
  return nil, errors.new("NOT_FOUND", ("there is no dead letter of the write %.0f"):format(seq), { seq = seq })
end

local function check(self, seq, what)
  if type(seq) ~= "number" or seq < 0 or seq % 1 ~= 0 or seq > 2 ^ 53 then
    error(("rejected:%s: the number of a write is expected, got %s"):format(what, tostring(seq)), 3)
  end
  if not self.client.closed then return true end
  return nil, errors.new("CLOSED", "the client is closed")
end

-- Why a letter was not sent again, by the name of the core's status.
local refusals = {
  ESTALE = "the write %.0f is older than what the local copy holds of its key; drop it",
  EFULL = "the op log is full; the write %.0f is still a dead letter",
  ENODE = "what waits for its node has its share of the op log (oplog.node_share); the write %.0f is still a dead letter",
}

--- Records the write once more, with its old timestamp, so that a newer write of another client wins
--- (on 0.11; a v2 server keeps what arrives last), and removes the letter. A write that is rejected
--- again becomes a letter again.
---@param seq number
---@return number|nil seq  of the new operation, for client:wait
---@return wingman.error|nil  NOT_FOUND; STALE: a newer record of the key is in the local copy; LOG_FULL
function letters:resend(seq)
  local ok, err = check(self, seq, "resend")
  if not ok then return nil, err end
  local again, reason = self.client.core:resend_rejected(seq)
  if again then return again end
  local status = core.statuses[reason]
  if status.name == "EINVAL" then return no_letter(seq) end
  local format = refusals[status.name] or "the write %.0f cannot be sent again: " .. reason
  return nil, errors.new(status.code, format:format(seq), { seq = seq })
end

--- Forgets the write.
---@param seq number
---@return boolean|nil ok, wingman.error|nil  NOT_FOUND
function letters:drop(seq)
  local ok, err = check(self, seq, "drop")
  if not ok then return nil, err end
  if self.client.core:drop_rejected(seq) then return true end
  return no_letter(seq)
end

--- The rejected writes: those that a server refused, and those that no server of the family can store.
---
---   for _, letter in ipairs(client:rejected()) do print(letter.map, letter.key, letter.reason) end
---   client:rejected():resend(seq)
---@return wingman.dead_letters
function methods:rejected()
  if self.closed then error("client:rejected: the client is closed", 2) end
  local list = self.core:rejected()
  list.client, list.displaced = self, select(2, self.core:rejected_stats())
  return setmetatable(list, letters)
end

return methods
