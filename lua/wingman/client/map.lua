--- A map of the cluster, local-first: reads come from the local copy at once,
--- writes change it and are recorded for the cluster in the same call. The newest
--- record by hybrid logical clock wins, whoever wrote it.
local call_options = require "wingman.client.options.calls"
local copy_module = require "wingman.client.replica.copy"
local core = require "wingman.core"
local duration = require "wingman.base.duration"
local errors = require "wingman.base.error"
local loop = require "wingman.loop"
local owner_reads = require "wingman.client.owner_reads"
local options_check = require "wingman.options.check"
local shape_encoder = require "wingman.client.flat_encoder"
local wire_name = require "wingman.base.wire_name"

local verify_options = options_check.verify

local M = {}

--- The events of a map.
local EVENTS = { change = true }

---@class wingman.map
---@field name string  of the map
---@field package noting wingman.copy|false  the copy that own writes are reported to
local methods = {}
methods.__index = methods

local statuses = core.statuses
local FULL, NODE_FULL = statuses.EFULL.text, statuses.ENODE.text

-- What a write can wait for.
local function is_full(reason) return reason == FULL or reason == NODE_FULL end

---@param client wingman.client
---@param name string
---@return wingman.map
function M.new(client, name)
  local core_map = client.core:map(name)
  return setmetatable({
    client = client,
    name = name,
    core_map = core_map,
    noting = false,
    is_looked_for = false, -- whether it was noticed once that there was nothing to see
    set_flat = shape_encoder.setter and shape_encoder.setter(core_map:pointer()),
    events = client:emitter(EVENTS, ("map '%s'"):format(name)),
  }, methods)
end

-- What is wrong with a write, by the name of the core's status: what follows "map 'm', key 'k'".
local refusals = {
  EFULL = function(self)
    return (": the op log is full (%d operations); the write was not recorded"):format(self.client:pending_ops())
  end,
  ENODE = function(self)
    return (": what waits for its node has its share of the op log (oplog.node_share = %g); the write was not recorded")
      :format(self.client.options.oplog.node_share)
  end,
  ESIZE = function(self)
    local _, bytes = self.core_map:size_limit()
    return (": the operation, of %.0f bytes, is larger than one message may be (1 MiB)"):format(bytes)
  end,
  EANSWER = function(self)
    local limit, bytes = self.core_map:size_limit()
    return (": key and value have %.0f bytes, and no answer of a v2 server can hold more than %.0f (512 KiB less 256 and the map's name): nobody could read the record; it was not recorded")
      :format(bytes, limit)
  end,
  ENAME = function()
    return ": a v2 server with disk storage discards what is written to a map of this name: it takes ASCII letters, digits and underscores, no digit first, no _topgun_ or __topgun_ in front and no __backup behind; option check_map_names = false is for servers without disk storage"
  end,
  EINTEGER = function(_, path)
    return (": the integer%s is beyond 2^53, and would break the replication of a 0.11 cluster; the write was not recorded")
      :format(path and path ~= "" and " at " .. wire_name.shown(path) or "")
  end,
  EUTF8 = function() return ": the key is not valid UTF-8; the write was not recorded" end,
  ENOMEM = function() return "" end,
}

-- The error of a write that was not recorded. A reason that is no status is the encoder's.
local function refusal(self, key, reason, detail)
  if reason == FULL then
    local written, err = self.client:sync()
    if not written then return err end
  end
  local status = statuses[reason]
  local code, explain = status and status.code or "NOT_ENCODABLE", status and refusals[status.name]
  local text = explain and explain(self, detail) or ": " .. reason
  return errors.new(code, ("map %s, key %s%s"):format(wire_name.shown(self.name), wire_name.shown(key), text),
    { map = self.name, key = key, path = detail })
end

-- Nil and why not. A load test counts it, because a script that ignores it would miss writes.
local function refuse(self, key, reason, detail)
  local err, measured = refusal(self, key, reason, detail), self.client.measured
  if measured then measured.refused(err) end
  return nil, err
end

-- The client takes no writes: it is closed, or the nodes of its cluster do not agree.
local function not_writable(self)
  local err, measured = self.client.write_error, self.client.measured
  if measured and err.code ~= "CLOSED" then measured.refused(err) end
  return nil, err
end

-- The general way, with back-pressure: when the op log is full `pause` waits, and the waiting time counts
-- in the latency of a load test.
local function write_slowly(self, key, write)
  local measured, began = self.client.measured, nil
  while true do
    if began and measured then measured.since(began) end
    local seq, reason, detail = write()
    if began and measured then measured.since(0) end
    if seq then
      if self.noting then self.noting:note_own(key) end
      return seq
    end
    if not is_full(reason) or self.client.options.oplog.when_full ~= "pause" then return refuse(self, key, reason, detail) end
    began = began or loop.now()
    if measured then measured.waiting_for_log(1) end
    local ok, err = self.client:wait_for_log()
    if measured then measured.waiting_for_log(-1) end
    if not ok then return nil, err end
  end
end

-- What is wrong with a key.
local function key_problem(key)
  if type(key) ~= "string" then return "the key is a string, got " .. type(key) end
  if key == "" or #key > 65535 then return "the key has 1 to 65535 bytes, got " .. #key end
end

local function check_key(key, what)
  local wrong = key_problem(key)
  if wrong then error(("%s: %s"):format(what, wrong), 3) end
end

local function check_keys(keys, what)
  if #keys == 0 and next(keys) ~= nil then error(what .. ": a key or a list of keys is expected, got a table without a list", 3) end
  for i = 1, #keys do
    local wrong = key_problem(keys[i])
    if wrong then error(("%s: number %d of the list: %s"):format(what, i, wrong), 3) end
  end
  local count = 0
  for _ in pairs(keys) do count = count + 1 end
  if count ~= #keys then error(what .. ": a list of keys is expected, got a table with holes or other fields", 3) end
end

-- Apart from map:set, because LuaJIT does not compile a function that makes closures.
local function set_slowly(self, key, value)
  return write_slowly(self, key, function() return self.core_map:set(key, value) end)
end

-- The result of a write, with the option on_ack.
local function with_options(self, what, options, seq, err)
  verify_options(call_options.write, options, what, 3)
  if seq and options.on_ack then self.client:when_settled(seq, options.on_ack) end
  return seq, err
end

--- Writes a value. When it returns a seq, the write is in the op log and in the local copy. It is
--- acknowledged when `client:drain()` or `client:wait(seq)` says so.
--- The value is encoded at once and not kept, so one table can be reused for every write.
--- When the op log is full: waits (`when_full = "pause"`) or returns nil, err.
---@param key string
---@param value any  anything that MessagePack can express (see wingman.base.msgpack), and not nil
---@param options wingman.write_options|nil
---@return number|nil seq  the operation's number, for client:wait
---@return wingman.error|nil
function methods:set(key, value, options)
  if options ~= nil then return with_options(self, "map:set", options, self:set(key, value)) end
  if type(key) ~= "string" or key == "" or #key > 65535 then check_key(key, "map:set") end
  if self.client.write_error then return not_writable(self) end
  local reason
  if type(value) == "table" and self.set_flat then
    local seq, status = self.set_flat(key, value)
    if seq then return seq end
    reason = status and statuses[status].text
  elseif value == nil then
    error("map:set: the value is nil; use map:remove(key), or wingman.null inside a value", 2)
  end
  if reason and not is_full(reason) then return refuse(self, key, reason) end
  return set_slowly(self, key, value)
end

-- As map:set, of a map whose copy wants to know of own writes. The key is noted first, and looked at in a later turn; a
-- write that has to wait is noted again when it is recorded (write_slowly).
local function set_noting(self, key, value, options)
  if self.noting and type(key) == "string" then self.noting:note_own(key) end
  return (self.set_below or methods.set)(self, key, value, options)
end

--- Internal: the copy that is called after own writes; nil: none. `set` is the hot path and makes no check for it: the
--- map gets another `set`. A load test that follows the map has put its own there, below or above, which stays.
---@param copy wingman.copy|nil
function methods:note_writes_for(copy)
  self.noting = copy or false
  if copy and not self.has_set_noting then
    self.set_below, self.set, self.has_set_noting = rawget(self, "set"), set_noting, true
  elseif not copy and rawget(self, "set") == set_noting then
    self.set, self.set_below, self.has_set_noting = self.set_below, nil, nil
  end
end

--- Removes a key: a tombstone is written, which competes like any value.
---@param key string
---@param options wingman.write_options|nil
---@return number|nil seq, wingman.error|nil
function methods:remove(key, options)
  if options ~= nil then return with_options(self, "map:remove", options, self:remove(key)) end
  check_key(key, "map:remove")
  if self.client.write_error then return not_writable(self) end
  return write_slowly(self, key, function() return self.core_map:remove(key) end)
end

--- Records the last write of this client to a key once more, with its old timestamp; see
--- client:repair. nil, err when another client's write is newer.
---@param key string
---@return number|nil seq, wingman.error|nil
function methods:resend(key)
  check_key(key, "map:resend")
  if self.client.write_error then return not_writable(self) end
  return write_slowly(self, key, function() return self.core_map:resend(key) end)
end

-- The local copy has nothing. Newcomers expect the cluster's records in it: a map that has no source of them says so, once.
local function look_for_source(self)
  self.is_looked_for = true
  if self.copy or self.client.subscriptions[self.name] or self.core_map:next_own(0) then return end
  self.client.options.log_to("warn", "map_not_replicated", { map = self.name,
    text = ("%s is not replicated: get sees only what this client wrote; use map:replicate() or map:read(key)"):format(wire_name.shown(self.name)) })
end

--- The value of a key in the local copy, nil when there is none. It is decoded at each call:
--- changing a returned table changes nothing stored.
--- The local copy has one record of each key: the last one that this client wrote or received. A
--- write of this client is in it as soon as `set` returns, and stays in it when the write is
--- rejected (the event op_rejected, client:rejected) or dropped from a full op log, although no
--- node has it. To correct that, write the key anew, or read the nodes with client:query.
--- What other clients write is in it if the map is a replica (map:replicate). The first nil of a map that has no
--- source of records, as this client neither wrote it nor follows it, is logged: map_not_replicated.
---@param key string
---@return any
function methods:get(key)
  check_key(key, "map:get")
  if self.client.closed then error("map:get: the client is closed", 2) end
  local value = self.core_map:get(key)
  if value == nil and not self.is_looked_for then look_for_source(self) end
  return value
end

--- Reads a key from the node that owns it. The local copy is not looked at and not changed, and a write of
--- this client that is not acknowledged yet is not seen. While the owner is not connected, it waits for
--- one; when another node becomes the owner meanwhile, that one is asked. Waits.
---
--- nil without an error means that the owner answered: it has no value of this key. `false` is a value, so
--- test `err`. On v2 the owner may lack a record that was written while another node owned the key
--- (docs/guarantees.md).
---
--- On a v2 server newer than 2.2.0 with disk storage an absent key is expensive: 5 to 10 us for each record of the
--- map, once for all keys of a call.
---
--- Several keys are read at once, at most 64 at a time. The result is { key = value } without the absent
--- ones, and { key = record }; or nil and the first error.
---@param key string|string[]
---@param options wingman.read_options|nil  { timeout = 5 s, node = a node to ask, owner or not }
---@return any value
---@return wingman.error|nil err  TIMEOUT, NOT_CONNECTED, CLOSED, BUSY, TOO_LARGE, REFUSED, NOT_ENCODABLE, HASHES_DIFFER; UNSUPPORTED: the
---  server's disk storage takes no map of this name
---@return { millis: integer, counter: integer, node: string, holder: string }|nil record  when and by whom
---  it was written (v2: by the server, on arrival), and the node that answered
function methods:read(key, options)
  if type(key) == "table" then check_keys(key, "map:read") else check_key(key, "map:read") end
  options = options_check.check(call_options.read, options == nil and {} or options, "map:read", 2)
  local measured, began = self.client.measured, loop.now()
  local value, err, record = owner_reads.read(self.client, self.name, key, options)
  if measured then measured.read(self.name, key, loop.now() - began, value, err) end -- for a load test
  return value, err, record
end

---@class wingman.record
---@field millis integer    when it was written, with the counter; on v2 by the clock of the node that took it, once that is known
---@field counter integer  orders writes of one millisecond
---@field node string       its writer: a client, or the v2 node that gave it its time
---@field removed boolean   a tombstone
---@field state "pending"|"acknowledged"|"synced"|"lost"|"rejected"|"dropped"  see map:record
---@field holder string|nil  the node that holds it or has acknowledged it; nil: not known. It is known in replicas, and in
---  maps whose changes are announced

--- The record of a key in the local copy, nil for an unknown key. Its `state`: a write of this client is `pending` while
--- it is in the op log, and then `acknowledged`, `rejected` or `dropped`; none of these says that a node stores it. It becomes
--- `synced` when a node announces it or is read, as records of others are: only in a replica, or where changes are
--- announced. `lost`: the node that held it came up without it, and no other one has it.
---@param key string
---@return wingman.record|nil
function methods:record(key)
  check_key(key, "map:record")
  local millis, counter, node, removed, state, holder = self.core_map:record(key)
  if not millis then return nil end
  return { millis = millis, counter = counter, node = node, removed = removed, state = state, holder = holder }
end

--- Internal: as map:each, for what only looks: it says nothing of a map that has no source.
---@return fun(): string|nil, any
function methods:each_here()
  local position = 0
  return function()
    local key, value
    position, key, value = self.core_map:next(position or 0)
    return key, value
  end
end

--- Iterates over the keys and values of the local copy, in no particular order:
--- `for key, value in map:each() do`.
---@return fun(): string|nil, any
function methods:each()
  local next_here = self:each_here()
  return function()
    local key, value = next_here()
    if key == nil and not self.is_looked_for then look_for_source(self) end
    return key, value
  end
end

--- How many keys have a value in the local copy.
---@return integer
function methods:size()
  local size = self.core_map:size()
  if size == 0 and not self.is_looked_for then look_for_source(self) end
  return size
end

--- Internal: notifies the listeners of a change of the local copy.
---@param key string
---@param value any  nil: it was removed
function methods:announce(key, value) self.events:emit("change", key, value, "remote") end

-- What a copy might be and is not, with the reason.
local function refused(self, options)
  local why
  if options.keys then
    why = "keys: a node's hashes are those of all keys of the map, so a copy of some keys can never be compared with it, and what the node "
      .. "does not announce would be missed; replicate the map, and watch or query the keys"
  elseif options.visible == "owner" then
    why = 'visible = "owner": a node that becomes an owner on v2 holds none of the partition\'s records, so each change of the partition '
      .. "map would remove from the copy what other nodes hold; use map:read, which asks the owner alone"
  end
  return why and errors.new("UNSUPPORTED", "map:replicate: " .. why, { map = self.name, retriable = false })
end

--- Makes the local copy a replica: it holds what the nodes of the cluster hold, and follows every change. Returns
--- at once; map:synced() waits until everything is there. A second call returns the same copy, whatever its options.
--- The nodes' changes come as they announce them; what they drop is found by comparing hashes with each node, twice a
--- second while the map changes, and after each reconnection. `get`, `each` and `size` show it, with the writes of this
--- client that were not seen back yet in front.
--- With `persist` the copy is in a file, too: after a restart it is there at once, as old as it was (copy:status), and of each
--- node only what differs is read. The file is a cache; writes of this client are the op log's.
---@param options wingman.replicate_options|nil  { check = 0.5 s, on_loss = "keep", persist = false }
---@return wingman.copy|nil copy
---@return wingman.error|nil err  with persist: BUSY (another client has the file open), COPY (the file cannot be used). UNSUPPORTED: keys,
---  and visible = "owner"
function methods:replicate(options)
  options = options_check.check(call_options.replicate, options or {}, "map:replicate", 2)
  if self.client.closed then error("map:replicate: the client is closed", 2) end
  local unsupported = refused(self, options)
  if unsupported then return nil, unsupported end
  if options.persist and not self.client.options.copy.path then
    error("map:replicate: persist takes the client option copy.path, a folder for the files of the copies", 2)
  elseif options.persist and self.copy and not self.copy.file then
    error(("map:replicate: map %s is replicated already, without persist: close that copy first, or replicate with persist before "
      .. "map:watch, map:on and client:live_query"):format(wire_name.shown(self.name)), 2)
  end
  local copy, err = self:open_copy(options)
  if not copy then return nil, err end
  copy.is_wanted = true
  return copy
end

--- Internal: the map's copy, which is made if there is none.
---@param options table|nil  checked; default: the defaults
---@return wingman.copy|nil
---@return wingman.error|nil err
function methods:open_copy(options)
  if not self.copy then
    local copy, err = copy_module.new(self.client, self, options or options_check.check(call_options.replicate, {}, "map:replicate", 2))
    if not copy then return nil, err end
    self.copy, self.client.copies[self.name] = copy, copy
  end
  return self.copy
end

--- Waits until the replica was equal to what each node holds, at a moment after this call. Makes the map one if it is
--- none.
---@param timeout number|string|nil  a duration: seconds or "5s"; default: 5 s
---@return boolean|nil ok, wingman.error|nil err  TIMEOUT, CLOSED, COPY_FULL; UNSUPPORTED: as of map:read
function methods:synced(timeout)
  timeout = duration.limit(timeout, "map:synced", 2) or 5
  return self:replicate():synced(timeout)
end

--- Calls `fn(key, value, origin)` with what is there, and then after changes: once for a changed key, with the value that
--- it has by then, or nil when it has none. `origin`: "snapshot" (read first), "remote" (announced by a node), "repair"
--- (found by comparing; or an own write is sent again, or was rejected or dropped), "lost" (removed, with on_loss = "drop"),
--- "local" (written by this client). After own writes `fn` is called with `own = true` only, and not before `set` has
--- returned; after what replaces them, always. Makes the map a replica if it is none.
---@param key string|nil  one key; nil: all
---@param fn fun(key: string, value: any, origin: string)
---@param options wingman.watch_options|nil  { initial = true, own = false }
---@return wingman.watch  with close()
function methods:watch(key, fn, options)
  if key ~= nil then check_key(key, "map:watch") end
  if type(fn) ~= "function" then error("map:watch: a function is expected, got " .. type(fn), 2) end
  options = options_check.check(call_options.watch, options or {}, "map:watch", 2)
  return self:replicate():watch(key, fn, options)
end

--- Calls `fn(key, value, origin)` after another client has changed a key: with its final value, or nil for a removal. The
--- first listener makes the map a replica (map:replicate), so that nothing is missed; it is a watch of every key that is
--- not called for what is there already. With `{ replicate = false }` the nodes are only asked to announce changes: what
--- they drop, or cannot announce while their connection is away, is missed, and a 0.11 cluster announces none.
---@param event "change"
---@param fn fun(key: string, value: any, origin: string)
---@param options wingman.change_options|nil  { replicate = true }
function methods:on(event, fn, options)
  options = options_check.check(call_options.change, options or {}, "map:on", 2)
  self.events:on(event, fn, "map:on", 3)
  if self.copy or options.replicate then self:replicate():tell_changes() else self.client:subscribe(self.name) end
end

--- Removes a listener. The map stays what it is.
---@param event "change"
---@param fn function
function methods:off(event, fn) self.events:off(event, fn, "map:off", 3) end

return M
