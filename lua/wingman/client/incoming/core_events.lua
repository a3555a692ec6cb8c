--- What the core reports: one handler for each kind of event that is not the
--- provider's.
local cjson = require "cjson"
local core = require "wingman.core"
local errors = require "wingman.base.error"
local messages = require "wingman.client.incoming.server_messages"
local server_error = require "wingman.client.incoming.server_error"
local escape = require "wingman.base.escape"
local server_events = require "wingman.client.incoming.map_events"
local wire_name = require "wingman.base.wire_name"

--- Rejected and dropped operations that are remembered for who waits for them later.
local REMEMBERED = 1000

local function remember_failure(self, seq, err)
  local order = self.failure_order
  order.last = order.last + 1
  order[order.last], self.failures[seq] = seq, err
  local oldest = order.last - REMEMBERED
  if order[oldest] then self.failures[order[oldest]], order[oldest] = nil, nil end
end

local function settle(self, seq, node, err)
  local future, callback = self.waiting_ops[seq], self.ack_callbacks[seq]
  self.waiting_ops[seq], self.ack_callbacks[seq] = nil, nil
  if err then remember_failure(self, seq, err) end
  if callback then self:call_back("on_ack", callback, not err or nil, err) end
  if not future then return end
  if err then future:reject(err) else future:resolve(true, node) end
end

-- The id of the node that a connection leads to, while it is not known its URL; nil for a
-- provider without connections.
local function node_of(self, connection_id)
  local node = self.provider and self.provider:node_at(connection_id)
  return node and (node.id or node.url)
end

-- Letters that were removed to make space are logged, too.
local function tell_displaced(self)
  local kept, displaced = self.core:rejected_stats()
  if displaced == (self.displaced_letters or 0) then return end
  self.displaced_letters = displaced
  self.log_seldom("warn", "dead_letters_full", { kept = kept, displaced = displaced }, "dead_letters_full")
end

--- `handlers[event](client, connection_id, a, b, flag, text)`; what the arguments are is said
--- in core/client/parts/event_queue.h. A "message" and a "server_error" come decoded, or nil and why not.
local handlers = {}

function handlers.message(self, connection_id, _, _, _, message, err)
  if message == nil then return messages.refuse(self, connection_id, "message_not_read", nil, err) end
  messages.take(self, connection_id, message)
end

function handlers.too_large(self, connection_id, _, _, _, text) messages.too_large(self, connection_id, core.decode(text)) end

-- Of what the core has taken it says what changed, if something did: the map's name, the
-- key, the value. The rest comes decoded, or nil and why not.
function handlers.map_event(self, connection_id, is_batched, _, is_taken, changed, detail, value)
  if is_taken then
    local map = changed and self.maps[changed]
    if map then map:announce(detail, value) end
    return
  end
  if changed == nil then return messages.refuse(self, connection_id, "message_not_read", nil, detail) end
  local refused = server_events.take(self, connection_id, changed)
  if refused then messages.refuse(self, connection_id, "message_refused", is_batched == 1 and "SERVER_BATCH_EVENT" or "SERVER_EVENT", refused) end
end

-- Later than an event: the map, and what it shows of the key now.
function handlers.shown(self, _, key_len, _, _, text)
  local key, map = text:sub(1, key_len), self.maps[text:sub(key_len + 1)]
  if map then map:announce(key, map.core_map:get(key)) end
end

function handlers.text(self, connection_id, _, _, _, text)
  local ok, message = pcall(cjson.decode, text)
  -- The parser's own words hold places and pieces of the text, no two alike.
  if not ok then return messages.refuse(self, connection_id, "message_not_read", nil, "the text is no JSON") end
  messages.take(self, connection_id, message)
end

function handlers.op_done(self, connection_id, seq) settle(self, seq, node_of(self, connection_id)) end

-- Comes only during a trace; see wingman.inspect.trace.
function handlers.frame(self, connection_id, bytes, is_text, outward, message)
  self.events:emit("frame", self.provider:node_at(connection_id), outward, message, bytes, is_text == 1, self.listeners:has(connection_id))
end

function handlers.op_rejected(self, connection_id, seq, lengths, _, text)
  local map_len = math.floor(lengths / 65536)
  local key_len = lengths - map_len * 65536
  local key, map, reason = text:sub(1, key_len), text:sub(key_len + 1, key_len + map_len), text:sub(key_len + map_len + 1)
  local node = connection_id >= 0 and node_of(self, connection_id) or nil
  local err = errors.new("REJECTED", ("map %s: the write of key %s was rejected%s: %s; it is in client:rejected()")
    :format(wire_name.shown(map), wire_name.shown(key), node and " by " .. node or "", escape.plain(reason)),
    { map = map, key = key, reason = reason, node = node, seq = seq, retriable = false })
  self.log_seldom("warn", "op_rejected", { map = map, key = key, reason = reason, node = node }, "op_rejected " .. map)
  settle(self, seq, nil, err)
  tell_displaced(self)
  self.events:emit("op_rejected", err)
end

function handlers.op_dropped(self, _, seq, _, _, key)
  local err = errors.new("LOG_FULL", ("the op log was full: the oldest write, of key '%s', was dropped"):format(key),
    { key = key })
  settle(self, seq, nil, err)
  self.events:emit("op_dropped", err)
end

function handlers.op_tries(self, connection_id, seq, tries, _, key)
  local node = self.provider:node_at(connection_id)
  local err = errors.new("NOT_ACKNOWLEDGED", ("the write of key '%s' was sent %d times without an acknowledgement; it stays in the op log")
    :format(key, tries), { key = key, seq = seq, tries = tries, node = node.id, url = node.url })
  self.log_seldom("warn", "op_tries", { key = key, tries = tries, url = node.url }, "op_tries " .. node.url)
  self.events:emit("op_tries", err)
end

function handlers.server_error(self, connection_id, _, _, had_batches, message)
  if message then self.provider:offer(connection_id, message) end
  messages.failed(self, connection_id, server_error.of(message) or errors.new("SERVER_ERROR", "an error that cannot be read"), had_batches)
end

function handlers.ack_timeout(self, connection_id, ops, _, again)
  local node = self.provider:node_at(connection_id)
  self.log_seldom("warn", "ack_timeout", { url = node.url, ops = ops, again = again }, "ack_timeout " .. node.url)
  -- A v2 connection is closed then, which is reported as a loss.
  if again and self.provider.refused and node.dialect ~= "v2" then
    self.provider:refused(node, "a batch was not acknowledged in time")
  end
  self.events:emit("ack_timeout", { url = node.url, node = node.id, ops = ops, again = again })
end

function handlers.resumed(self, connection_id, partition, us)
  local node = self.provider:node_at(connection_id)
  self.provider.failovers:acked(partition)
  self.events:emit("resumed", { partition = partition, node = node.id, seconds = us / 1e6 })
end

-- What makes an op log's file that could be written once writable again, by problem.
local CURES = {
  io = "free space on its disk, or fix what the reason says", memory = "free memory, or raise the limit",
  replaced = "move the other file away, and the log is written there anew with all that it holds",
}

-- What becomes of writes meanwhile, as in "writes wait until it can".
local function while_unwritable(self) return self.options.oplog.when_full == "pause" and "wait" or "fail" end

function handlers.log_file(self, _, _, len, writable, text)
  if writable then
    self.options.log_to("info", "oplog_written_again", { path = self.options.oplog.path })
    self.events:emit("oplog_recovered")
    if self.progress then self.progress:resolve() end
    return
  end
  local path, problem, reason = self.options.oplog.path, text:sub(1, len), text:sub(len + 1)
  local writes, cure = while_unwritable(self), CURES[problem] or "it is written anew, if its folder lets it"
  local err = errors.new("OPLOG", ("the op log's file '%s' cannot be written: %s; nothing is lost, and writes %s until it can: %s")
    :format(path, reason, writes, cure), { path = path, problem = problem, reason = reason })
  self.options.log_to("error", "oplog_not_written", { path = path, problem = problem, reason = reason, writes = writes, cure = cure })
  self.events:emit("oplog_error", err)
end

-- Acknowledged writes that a 0.11 cluster may have dropped, and that are not sent again.
function handlers.unverified(self, _, count)
  self.options.log_to("warn", "writes_unverified", {
    count = count, reason = "the membership changed, and option oplog.recent_bytes was too small to keep them, or the servers refuse them now",
  })
  self.events:emit("unverified", count)
end

function handlers.high_watermark(self, _, ops) self.events:emit("high_watermark", ops) end

function handlers.low_watermark(self, _, ops)
  self.events:emit("low_watermark", ops)
  if self.progress then self.progress:resolve() end
end

function handlers.node_below_share(self)
  if self.progress then self.progress:resolve() end
end

return handlers
