--- Bad frames that a server could send: what each is called, its bytes, and what a
--- client owes it. Made byte by byte: an encoder would refuse to write most of them.
local char, concat, rep = string.char, table.concat, string.rep

local M = {}

---@class spec.hostile_frame
---@field name string
---@field bytes string
---@field as "binary"|"text"|"raw"  payload of such a frame, or bytes of the connection
---@field ends string|nil       the connection ends, with this reason (alternatives with "|")
---@field warns string|nil      the connection stays, and this event is logged
---@field counts string|nil     the connection stays, and this counter of client:stats() grows
---@field detail string|nil     what the client says beside the reason
---@field code integer|nil      the close code that it tells
---@field refused_token boolean|nil  the client does not come back before it has another token

local function be(value, width)
  local bytes = {}
  for i = width, 1, -1 do
    bytes[i] = char(value % 256)
    value = math.floor(value / 256)
  end
  return concat(bytes)
end

local function le32(value) return be(value, 4):reverse() end

local function str(text)
  if #text < 32 then return char(0xa0 + #text) .. text end
  return "\219" .. be(#text, 4) .. text
end

local function bin(bytes) return "\198" .. be(#bytes, 4) .. bytes end

local function array(...)
  local items = { ... }
  return "\220" .. be(#items, 2) .. concat(items)
end

--- The head of a binary WebSocket frame of 1 GB.
M.announcement = "\130\127" .. be(2 ^ 30, 8)

local NIL, UNDEFINED, TRUE = "\192", "\212\0\0", "\195"
local NAN, INFINITY = "\203\127\248\0\0\0\0\0\0", "\203\127\240\0\0\0\0\0\0"
local MAX64, MIN64 = "\207" .. rep("\255", 8), "\211\128" .. rep("\0", 7)
local TWO_TO_63 = "\207\128" .. rep("\0", 7)
local MB = 1024 * 1024

--- What is no integer >= 0, by name.
local no_numbers = {
  { "text", str "7" }, { "nil", NIL }, { "negative", "\255" }, { "a fraction", "\203\63\224\0\0\0\0\0\0" },
  { "NaN", NAN }, { "infinite", INFINITY }, { "an array", "\144" }, { "a boolean", TRUE },
}

--- The frames in the form of a family: its maps are map16 or fixmap.
---@param is_0_11 boolean
---@return spec.hostile_frame[]
function M.all(is_0_11)
  local frames = {}

  --- Keys and raw values, in turns.
  local function map(...)
    local items = { ... }
    local count = #items / 2
    for i = 1, #items, 2 do items[i] = str(items[i]) end
    local header = (is_0_11 or count > 15) and "\222" .. be(count, 2) or char(0x80 + count)
    return header .. concat(items)
  end
  local function message(kind, payload) return map("type", str(kind), "payload", payload) end

  local function add(name, bytes, what, as)
    what.name, what.bytes, what.as = name, bytes, as or "binary"
    frames[#frames + 1] = what
  end
  local function protocol(name, bytes) add(name, bytes, { ends = "protocol" }) end
  local function ignored(name, bytes) add(name, bytes, {}) end
  local function refused(name, bytes) add(name, bytes, { warns = "message_refused" }) end

  -- Not MessagePack ------------------------------------------------------------------

  local whole = message("PARTITION_MAP", map("version", "\1", "nodes", array(map("nodeId", str "node-1"))))
  protocol("an empty message", "")
  protocol("the byte that starts nothing", "\193")
  for _, cut in ipairs { 1, 2, 4, 8, 9, 12, 20, #whole - 1 } do
    protocol(("a message cut after %d bytes"):format(cut), whole:sub(1, cut))
  end
  protocol("a message and one byte more", whole .. "\0")
  protocol("two messages in one frame", whole .. whole)
  for name, lead in pairs { array16 = "\220", array32 = "\221", map16 = "\222", map32 = "\223", str8 = "\217",
    str16 = "\218", str32 = "\219", bin8 = "\196", bin16 = "\197", bin32 = "\198", ext8 = "\199", ext32 = "\201" } do
    protocol(name .. " of the largest count as the frame", lead .. rep("\255", 4))
    protocol(name .. " of the largest count as the payload", message("OP_ACK", lead .. rep("\255", 4)))
  end
  protocol("arrays, 100,000 deep", message("X", rep("\145", 100000) .. NIL))
  protocol("maps, 129 deep", rep("\129\161a", 129) .. NIL)
  protocol("maps as keys, 100,000 deep", rep("\129", 100000))
  protocol("2 MB of random bytes that start like a map", "\222\255\255" .. rep("\167", 2 * MB))

  -- MessagePack, but no message -------------------------------------------------------

  for name, value in pairs { ["nil"] = NIL, ["a number"] = "\7", ["a text"] = str "OP_ACK", ["an array"] = array(NIL),
    ["an empty map"] = map(), ["undefined"] = UNDEFINED } do
    protocol(name .. " in place of a message", value)
  end
  for name, value in pairs { ["nil"] = NIL, ["a number"] = "\7", ["binary"] = bin "OP_ACK", ["an array"] = array(str "OP_ACK"),
    ["a map"] = map(), ["undefined"] = UNDEFINED } do
    protocol("a type that is " .. name, map("type", value))
  end
  protocol("a type that is first a text, then a number", map("type", str "OP_ACK", "type", "\7"))

  -- Envelopes -------------------------------------------------------------------------

  local pong = map("type", str "PONG", "timestamp", "\1")
  local function envelope(count, data) return map("type", str "BATCH", "count", count, "data", data) end
  local function item(bytes, length) return le32(length or #bytes) .. bytes end
  local function nested(depth)
    local bytes = pong
    for _ = 1, depth do bytes = envelope("\1", bin(le32(1) .. item(bytes))) end
    return bytes
  end
  protocol("BATCH without data", map("type", str "BATCH", "count", "\0"))
  protocol("BATCH whose data is a text", envelope("\1", str(le32(1) .. item(pong))))
  protocol("BATCH whose data is an array", envelope("\1", array(pong)))
  protocol("BATCH whose data has no room for the count", envelope("\0", bin "\0\0\0"))
  protocol("BATCH with a count that is too large", envelope("\2", bin(le32(2) .. item(pong))))
  protocol("BATCH with a count that is too small", envelope("\0", bin(le32(0) .. item(pong))))
  protocol("BATCH whose two counts differ", envelope("\3", bin(le32(1) .. item(pong))))
  protocol("BATCH whose count is negative", envelope("\255", bin(le32(1) .. item(pong))))
  protocol("BATCH whose count is a text", envelope(str "1", bin(le32(1) .. item(pong))))
  protocol("BATCH of 2^32 - 1 messages", envelope("\206\255\255\255\255", bin(rep("\255", 4))))
  protocol("BATCH with a length beyond its end", envelope("\1", bin(le32(1) .. item(pong, #pong + 1))))
  protocol("BATCH with a length of 2^32 - 1", envelope("\1", bin(le32(1) .. item(pong, 2 ^ 32 - 1))))
  protocol("BATCH with bytes after its last message", envelope("\1", bin(le32(1) .. item(pong) .. "\0")))
  protocol("BATCH with an empty message inside", envelope("\1", bin(le32(1) .. item "")))
  protocol("BATCH with a message and then garbage inside", envelope("\2", bin(le32(2) .. item(pong) .. item "\193")))
  protocol("BATCH within BATCH, 5 deep", nested(5))
  protocol("BATCH within BATCH, 2,000 deep", nested(2000))
  ignored("BATCH within BATCH, 4 deep", nested(4))
  ignored("BATCH of nothing", envelope("\0", bin(le32(0))))

  -- Fields of the wrong kind ----------------------------------------------------------

  for name, payload in pairs { ["nil"] = NIL, ["undefined"] = UNDEFINED, ["a number"] = "\7", ["a text"] = str "x",
    ["an array"] = array("\1"), ["a boolean"] = TRUE, ["64 bits wide"] = TWO_TO_63 } do
    refused("SERVER_EVENT whose payload is " .. name, message("SERVER_EVENT", payload))
    for _, kind in ipairs { "SYNC_RESP_ROOT", "QUERY_RESP" } do
      -- What nobody waits for is looked at no further.
      local check = name == "an array" and ignored or refused
      check(kind .. " whose payload is " .. name, message(kind, payload))
    end
    add("PARTITION_MAP whose payload is " .. name, message("PARTITION_MAP", payload), { warns = "partition_map_refused" })
    add("ERROR whose payload is " .. name, message("ERROR", payload), { warns = "server_error" })
  end
  for _, kind in ipairs { "SERVER_BATCH_EVENT", "SYNC_RESP_LEAF", "SYNC_RESP_BUCKETS", "SYNC_RESET_REQUIRED", "QUERY_UPDATE" } do
    refused(kind .. " without a payload", map("type", str(kind)))
  end
  ignored("an unknown type", message("NOBODY_KNOWS", "\7"))
  ignored("a type of 1 MB", map("type", str(rep("T", MB))))
  ignored("a type that is no UTF-8", map("type", str "\255\254"))
  ignored("100,000 fields that nobody asked for", "\223" .. be(100001, 4) .. str "type" .. str "X"
    .. rep("\161a\1", 100000))

  -- Acknowledgements --------------------------------------------------------------------

  local function ack(name, last_id)
    add("OP_ACK with a lastId that is " .. name, message("OP_ACK", map("lastId", last_id)), { counts = "unmatched_acks" })
  end
  ack("nil", NIL)
  ack("undefined", UNDEFINED)
  ack("a number", "\7")
  ack("a map", map())
  ack("binary", bin "unknown")
  ack("'unknown'", str "unknown")
  ack("empty", str "")
  ack("1 MB long", str(rep("9", MB)))
  ack("of no operation", str "zzzzzzzz-0000000")
  ack("no UTF-8", str "\255")
  add("OP_ACK without a payload", map("type", str "OP_ACK"), { counts = "unmatched_acks" })
  add("OP_ACK with results that are a number", message("OP_ACK", map("lastId", str "x", "results", "\7")),
    { counts = "unmatched_acks" })
  ignored("OP_REJECTED of no operation", message("OP_REJECTED", map("opId", str "zzz", "reason", str "no")))
  ignored("OP_REJECTED with an opId that is a number", message("OP_REJECTED", map("opId", "\7")))
  ignored("OP_REJECTED without a payload", map("type", str "OP_REJECTED"))
  for _, wrong in ipairs(no_numbers) do
    add("ERROR with a code that is " .. wrong[1], message("ERROR", map("code", wrong[2], "message", str "no")),
      { warns = "server_error" })
    ignored("PONG with a timestamp that is " .. wrong[1], map("type", str "PONG", "timestamp", wrong[2]))
  end
  add("ERROR with a code of 2^64 - 1", message("ERROR", map("code", MAX64, "message", str "no")), { warns = "server_error" })
  add("ERROR with a message that is a map", message("ERROR", map("code", "\7", "message", map())), { warns = "server_error" })
  add("ERROR with a message of 1 MB", message("ERROR", map("code", "\7", "message", str(rep("m", MB)))),
    { warns = "server_error" })
  ignored("PONG without a timestamp", map("type", str "PONG"))
  ignored("PONG with a timestamp of 2^64 - 1", map("type", str "PONG", "timestamp", MAX64))
  ignored("AUTH_REQUIRED once more", map("type", str "AUTH_REQUIRED"))
  ignored("AUTH_ACK once more, with a userId that is a number", map("type", str "AUTH_ACK", "userId", "\7"))
  for name, text in pairs { ["a number"] = "\7", ["nil"] = NIL, ["a map"] = map(), ["1 MB long"] = str(rep("e", MB)),
    ["no UTF-8"] = str "\255\0\254" } do
    add("AUTH_FAIL with an error that is " .. name, map("type", str "AUTH_FAIL", "error", text),
      { ends = "auth_failed", refused_token = true })
  end

  -- Partition maps ------------------------------------------------------------------------

  -- The nodes that these maps name do not exist: a map that is well-formed and is
  -- kept loses to those of the other nodes, which name nodes that can be reached.
  local ghost = map("nodeId", str "ghost", "endpoints", map("websocket", str ""), "status", str "ACTIVE")
  local function partition(id, owner) return map("partitionId", id, "ownerNodeId", owner, "backupNodeIds", array()) end
  local function partition_map(changes)
    local fields = {
      version = changes.version or "\206\127\255\255\255", partitionCount = changes.partitionCount or "\2",
      generatedAt = changes.generatedAt or "\1", nodes = changes.nodes or array(ghost),
      partitions = changes.partitions or array(partition("\0", str "ghost"), partition("\1", str "ghost")),
    }
    local flat = {}
    for field, value in pairs(fields) do
      if value ~= "" then
        flat[#flat + 1] = field
        flat[#flat + 1] = value
      end
    end
    return message("PARTITION_MAP", map(unpack(flat)))
  end
  local function bad_map(name, changes)
    add("PARTITION_MAP with " .. name, partition_map(changes), { warns = "partition_map_refused" })
  end
  local function odd_map(name, changes) ignored("PARTITION_MAP with " .. name, partition_map(changes)) end
  for _, wrong in ipairs(no_numbers) do
    bad_map("a version that is " .. wrong[1], { version = wrong[2] })
    bad_map("a partitionCount that is " .. wrong[1], { partitionCount = wrong[2] })
    bad_map("a partitionId that is " .. wrong[1], { partitions = array(partition(wrong[2], str "ghost")) })
  end
  bad_map("a partitionCount of 0", { partitionCount = "\0" })
  bad_map("a partitionCount of 65537", { partitionCount = "\206\0\1\0\1" })
  bad_map("a partitionCount of 2^64 - 1", { partitionCount = MAX64 })
  bad_map("no partitionCount", { partitionCount = "" })
  bad_map("no version", { version = "" })
  bad_map("a generatedAt that is a text", { generatedAt = str "now" })
  bad_map("partitions that are a map", { partitions = map() })
  bad_map("partitions that are a number", { partitions = "\7" })
  bad_map("no partitions", { partitions = "" })
  bad_map("a partition that is a number", { partitions = array "\7" })
  bad_map("a partition without an id", { partitions = array(map("ownerNodeId", str "ghost")) })
  bad_map("a partitionId out of range", { partitions = array(partition("\2", str "ghost")) })
  bad_map("an owner that is a number", { partitions = array(partition("\0", "\7")) })
  bad_map("an owner that is nil", { partitions = array(partition("\0", NIL)) })
  bad_map("an owner with a zero byte", { partitions = array(partition("\0", str "node-1\0")) })
  bad_map("backups that are a number", { partitions = array(map("partitionId", "\0", "backupNodeIds", "\7")) })
  bad_map("a backup that is a number", { partitions = array(map("partitionId", "\0", "backupNodeIds", array "\7")) })
  bad_map("nodes that are a text", { nodes = str "node-1" })
  bad_map("no nodes", { nodes = "" })
  bad_map("a node that is nil", { nodes = array(NIL) })
  bad_map("a node without nodeId", { nodes = array(map("status", str "ACTIVE")) })
  bad_map("a nodeId that is a number", { nodes = array(map("nodeId", "\7")) })
  bad_map("an empty nodeId", { nodes = array(map("nodeId", str "")) })
  bad_map("endpoints that are a text", { nodes = array(map("nodeId", str "ghost", "endpoints", str "ws://x")) })
  bad_map("1,025 nodes", { nodes = array(unpack((function()
    local nodes = {}
    for i = 1, 1025 do nodes[i] = map("nodeId", str("ghost-" .. i)) end
    return nodes
  end)())) })
  bad_map("a version of 2^64 - 1", { version = MAX64 })
  odd_map("a version of 2^63", { version = TWO_TO_63 })
  odd_map("a generatedAt of 2^64 - 1", { generatedAt = MAX64 })
  odd_map("empty nodes", { nodes = array() })
  odd_map("no partition at all", { partitions = array() })
  odd_map("a partition twice", { partitions = array(partition("\1", str "ghost"), partition("\1", str "spectre")) })
  odd_map("a node twice", { nodes = array(ghost, ghost) })
  odd_map("a nodeId of 1 MB", { nodes = array(map("nodeId", str(rep("n", MB)))) })
  odd_map("a nodeId that is no UTF-8", { nodes = array(map("nodeId", str "\255")) })
  odd_map("an endpoint that is no URL", { nodes = array(map("nodeId", str "ghost", "endpoints", map("websocket", str ":%x"))) })
  odd_map("an endpoint that is a number", { nodes = array(map("nodeId", str "ghost", "endpoints", map("websocket", "\7"))) })
  local function delta(name, payload)
    add("PARTITION_MAP_DELTA " .. name, message("PARTITION_MAP_DELTA", payload), { warns = "partition_map_refused" })
  end
  delta("that is a number", "\7")
  delta("without changes", map("version", "\9", "previousVersion", "\1"))
  delta("of another version", map("version", "\9", "previousVersion", MIN64, "changes", array()))
  delta("with changes that are a text", map("version", "\9", "previousVersion", "\1", "changes", str "x"))

  -- What others wrote -----------------------------------------------------------------------

  local function event(fields)
    local record = map("value", fields.value or "\1", "timestamp", fields.timestamp
      or map("millis", fields.millis or "\1", "counter", fields.counter or "\0", "nodeId", fields.nodeId or str "other"))
    return map("mapName", fields.mapName or str "hostile", "key", fields.key or str "k", "eventType", str "PUT", "record",
      fields.record or record)
  end
  local impossible = {
    { "NaN", NAN }, { "infinite", INFINITY }, { "2^63", TWO_TO_63 }, { "-2^63", MIN64 }, { "2^64 - 1", MAX64 },
    { "negative", "\255" }, { "2^50", "\203\67\16\0\0\0\0\0\0" }, { "a text", str "1700000000000" }, { "nil", NIL },
    { "undefined", UNDEFINED },
  }
  for _, wrong in ipairs(impossible) do
    refused("SERVER_EVENT with millis that are " .. wrong[1], message("SERVER_EVENT", event { millis = wrong[2] }))
    refused("SERVER_EVENT with a counter that is " .. wrong[1], message("SERVER_EVENT", event { counter = wrong[2] }))
  end
  refused("SERVER_EVENT with a nodeId that is a number", message("SERVER_EVENT", event { nodeId = "\7" }))
  refused("SERVER_EVENT with a nodeId that has a zero byte", message("SERVER_EVENT", event { nodeId = str "a\0b" }))
  refused("SERVER_EVENT with a nodeId of 1 MB", message("SERVER_EVENT", event { nodeId = str(rep("n", MB)) }))
  refused("SERVER_EVENT with a timestamp that is a number", message("SERVER_EVENT", event { timestamp = "\7" }))
  refused("SERVER_EVENT with a mapName that is a number", message("SERVER_EVENT", event { mapName = "\7" }))
  refused("SERVER_EVENT with a key that is a number", message("SERVER_EVENT", event { key = "\7" }))
  refused("SERVER_EVENT with a record that is a text", message("SERVER_EVENT", event { record = str "x" }))
  refused("SERVER_BATCH_EVENT with events that are a number", message("SERVER_BATCH_EVENT", map("events", "\7")))
  refused("SERVER_BATCH_EVENT with an event that is a number", message("SERVER_BATCH_EVENT", map("events", array "\7")))
  ignored("SERVER_EVENT of an unknown map", message("SERVER_EVENT", event { mapName = str "nobody" }))
  add("a message with a timestamp extension of 3 bytes", message("SERVER_EVENT", event { value = "\199\3\255\0\0\0" }),
    { warns = "message_not_read" })
  for name, payload in pairs {
    ["QUERY_RESP of nobody's query"] = map("queryId", "\7", "results", "\7"),
    ["SYNC_RESP_LEAF that nobody asked for"] = map("mapName", "\7", "path", "\7", "records", "\7"),
    ["SYNC_RESP_BUCKETS that nobody asked for"] = map("mapName", str "wingman_probe", "path", str "", "buckets", str "x"),
    ["QUERY_UPDATE of nobody's query"] = map("queryId", "\7", "value", MAX64),
  } do
    ignored(name, message(name:match "^%u[%u_]+", payload))
  end

  -- Text messages -----------------------------------------------------------------------------

  local function text(name, bytes, what) add("text: " .. name, bytes, what or { warns = "message_not_read" }, "text") end
  text("an empty one", "")
  text("no JSON", "QUERY_UPDATE")
  text("JSON that is cut", '{"type":"QUERY_UPDATE","payload":{"queryId":')
  text("JSON and more", '{"type":"QUERY_UPDATE"} x')
  text("arrays, 40,000 deep", rep("[", 40000))
  text("a number beyond all", "1" .. rep("0", 400))
  text("null", "null")
  text("no map", '["QUERY_UPDATE"]')
  text("a type that is a number", '{"type":7,"payload":null}')
  text("a payload that is null", '{"type":"QUERY_UPDATE","payload":null}', { warns = "message_refused" })
  text("a payload that is a number", '{"type":"SERVER_EVENT","payload":7}', { warns = "message_refused" })
  text("a lone surrogate", [[{"type":"QUERY_UPDATE","payload":{"key":"\ud800"}}]])
  text("no UTF-8", '"\255\254', { ends = "protocol", detail = "a text message that is not UTF-8" })

  -- WebSocket frames ------------------------------------------------------------------------------

  local function broken(name, bytes, detail) add("frame: " .. name, bytes, { ends = "protocol", detail = detail }, "raw") end
  local some = rep("\222", 128 * 1024)
  broken("1 GB is announced", M.announcement .. some)
  broken("2^62 bytes are announced", "\130\127\64" .. rep("\0", 7) .. some)
  broken("1 GB of fragments is announced", "\2\127" .. be(2 ^ 30, 8) .. some)
  broken("a negative length", "\130\127" .. rep("\255", 8) .. "\222\0\1", "a WebSocket frame of more than 2^63 bytes")
  for _, opcode in ipairs { 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 } do
    broken("reserved opcode " .. opcode, char(0x80 + opcode) .. "\1x", "a WebSocket frame of an unknown kind")
  end
  for name, bit in pairs { first = 0x40, second = 0x20, third = 0x10 } do
    broken("the " .. name .. " reserved bit", char(0x82 + bit) .. "\1\128", "a WebSocket frame with reserved bits")
  end
  broken("a mask", "\130\129\0\0\0\0\128", "a masked WebSocket frame")
  broken("a ping in fragments", "\9\1x", "a control frame in fragments")
  broken("a close in fragments", "\8\2\3\232", "a control frame in fragments")
  broken("a ping of 126 bytes", "\137\126\0\126" .. rep("x", 126), "a control frame of more than 125 bytes")
  broken("a continuation of nothing", "\128\1x", "a continuation frame without a message")
  broken("a message within a message", "\2\1\222" .. "\130\1\222", "a new message within the fragments of another")
  broken("bytes that are no frame", rep("\255", 64), "a WebSocket frame with reserved bits")
  broken("a close frame of one byte", "\136\1\3", "a close frame of one byte")
  for _, code in ipairs { 0, 999, 1005, 1006, 1015, 5000, 65535 } do
    broken("a close frame with code " .. code, "\136\2" .. be(code, 2), "a close frame with a code that must not be sent")
  end
  broken("a close frame whose reason is no UTF-8", "\136\4\3\232\255\254", "a close frame whose reason is not UTF-8")
  for _, code in ipairs { 1000, 1011, 1012, 1014, 2500, 3000, 4999 } do
    add("frame: a close with code " .. code, "\136\8" .. be(code, 2) .. "bye \195\169",
      { ends = "closed", code = code, detail = "bye \195\169" }, "raw")
  end
  add("frame: a close without a code", "\136\0", { ends = "closed", code = 1005, detail = "" }, "raw")
  add("frame: a ping", "\137\1x", {}, "raw")
  add("frame: a pong that nobody asked for", "\138\1x", {}, "raw")
  add("frame: a message of 1,000 empty fragments", "\2\0" .. rep("\0\0", 1000) .. "\128" .. char(#pong) .. pong, {}, "raw")
  return frames
end

return M
