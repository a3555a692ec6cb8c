--- What one operation costs from Lua: record, route, encode and frame, against the
--- best that plain JavaScript does for the same work in the same run.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local compile = require "compile"
local ffi = require "ffi"
local median = require "median"
local read_options = require "options"
local peer_packages = require "peer_packages"
local wingman = require "wingman"
local key_route = require "wingman.cluster.key_route"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local text_table = require "wingman.text.table"

local USAGE = [[
usage: wingman run scripts/bench/hot_path.lua [--rounds N] [--json]

Measures, in rounds that alternate with the peer (node with the npm packages ws and
msgpackr, installed into build/bench-peer when missing):

  encode_route_b100  one write of three fields: recorded in the local copy and the op
                     log, routed by hash, encoded and, in batches of 100, framed
  route              hash and route of a key, against a search for the partition
  route_c            the same in C, against a bare FNV-1a loop (below 1 is slower)

and counts heap allocations per write after warm-up. A ratio is how many times
faster Wingman is: the median over the rounds of one run. Needs cc, node and npm.

  --rounds N  rounds (default 7)
  --json      one JSON object as the last line, ratios under "ratios"
]]

local KEYS, BATCH, OPERATIONS = 10000, 100, 200000
--- Set in the environment of the child that counts allocations.
local COUNT = "WINGMAN_BENCH_COUNT_ALLOCATIONS"

local function fail(code, message)
  io.stderr:write("hot_path: ", message, "\n")
  os.exit(code, true)
end

-- Set-up ---------------------------------------------------------------------------------

local options = read_options(USAGE, { rounds = 7 })
local work, err = peer_packages.install(directory)
if not work then fail(1, err) end

local function library(name)
  local path, reason = compile(directory, name, { "-shared", "-fPIC", "-ldl" })
  return path or fail(1, reason)
end

-- Our side --------------------------------------------------------------------------------

local keys, names = {}, {}
for i = 1, KEYS do
  keys[i], names[i] = ("player:%05d"):format(i), "name " .. i
end

-- A client that is never started: its batches are taken out here, as a provider with
-- a transport of its own would take them.
local function new_client()
  local client = assert(wingman.client { server = "ws://127.0.0.1:1" })
  return client, client:map "players"
end

local frame_bytes = ffi.new("uint8_t[?]", 1024 * 1024)

-- A masked client frame, as a connection makes it when it sends.
local function frame(message)
  local n, p = #message, ffi.cast("uint8_t *", frame_bytes)
  local mask = 0x3a5c7e91
  p[0], p[1] = 0x82, 0x80 + 126
  p[2], p[3] = bit.rshift(n, 8), bit.band(n, 255)
  ffi.cast("uint32_t *", p + 4)[0] = mask
  ffi.copy(p + 8, message, n)
  local words = ffi.cast("uint64_t *", p + 8)
  local mask64 = 0x3a5c7e913a5c7e91ULL
  for i = 0, bit.rshift(n, 3) do words[i] = bit.bxor(words[i], mask64) end
  return n + 8
end

local ID = "\162id\181" -- the start of an operation: its id of 21 bytes follows

-- Settles the batch as its acknowledgement would: by the id of the last operation.
local function acknowledge(core, message)
  local at = math.max(1, #message - 400)
  local last
  repeat
    at = message:find(ID, at, true)
    if at then last, at = at, at + 4 end
  until not at
  return core:foreign_ack(message:sub(last + 4, last + 24))
end

-- Bytes framed, and the time per operation in nanoseconds.
local function encode_route(client, map, operations)
  local core, bytes = client.core, 0
  local began = loop.now()
  for i = 0, operations - 1 do
    local at = i % KEYS + 1
    assert(map:set(keys[at], { name = names[at], score = i, active = true }))
    if i % BATCH == BATCH - 1 then
      local message, count = core:foreign_take()
      assert(count == BATCH)
      bytes = bytes + frame(message)
      assert(acknowledge(core, message) == BATCH)
    end
  end
  return (loop.now() - began) / operations * 1e9, bytes
end

local function route(index_of_key, operations)
  local found = 0
  local began = loop.now()
  for i = 0, operations - 1 do
    if index_of_key(keys[i % KEYS + 1]) == 0 then found = found + 1 end
  end
  return (loop.now() - began) / operations * 1e9, found
end

-- A child of this script, with every malloc counted, says how many a write makes.
local function count_allocations()
  ffi.cdef "uint64_t malloc_count(void);"
  local client, map = new_client()
  for _ = 1, 3 do encode_route(client, map, OPERATIONS) end
  local before = ffi.C.malloc_count()
  encode_route(client, map, OPERATIONS)
  print(tonumber(ffi.C.malloc_count() - before))
  client:close()
end

local function allocations_of_child()
  local child = assert(process.spawn {
    file = process.wingman_path(), args = { "run", arg[0] }, env = { LD_PRELOAD = library "malloc_count", [COUNT] = "1" },
  })
  local count = tonumber((child:read_line(120)))
  child:wait(10)
  child:close()
  return count or fail(1, "the counter of allocations said nothing")
end

-- Rounds -----------------------------------------------------------------------------------

local function ask(peer, name)
  assert(peer:write(("%s %d\n"):format(name, OPERATIONS)))
  local answer = cjson.decode((assert(peer:read_line(120))))
  return answer.ns, answer.result
end

local function bench()
  ffi.cdef [[
  double bare_hash(const char *keys, size_t len, size_t count, size_t rounds, uint32_t *sum);
  double hash_and_route(void *call, const void *client, const char *keys, size_t len, size_t count, size_t rounds,
                        uint32_t *sum);
  ]]
  local native = ffi.load(library "hash_loop")
  local module = ffi.load(require("wingman.core").path)
  local peer = assert(process.spawn { file = "node", args = { "--expose-gc", directory .. "/peer/hot_path.js" }, stdin = true,
    env = { NODE_PATH = work .. "/node_modules" } })
  local client, map = new_client()
  local index_of_key = key_route.new(client.core)
  local key_text, key_len = table.concat(keys), #keys[1]
  local sum = ffi.new "uint32_t[1]"
  local pointer = ffi.cast("const void *", client.core:pointer())
  local times = { ours = {}, peers = {}, ours_route = {}, peers_route = {}, c = {}, bare = {} }
  local ratios = { encode_route_b100 = {}, route = {}, route_c = {} }
  local function note(round, name, value)
    if round > 0 then table.insert(times[name], value) end -- round 0 warms up
    return value
  end
  local function note_ratio(round, name, theirs, ours)
    if round > 0 then table.insert(ratios[name], theirs / ours) end
  end
  -- All rounds of the short measurements come first: what makes garbage leaves work for
  -- the collector's threads, which would then run beside them.
  for round = 0, options.rounds do
    local ours = note(round, "ours_route", route(index_of_key, OPERATIONS * 10))
    local theirs = note(round, "peers_route", (ask(peer, "route")))
    note_ratio(round, "route", theirs, ours)
    local c = note(round, "c", native.hash_and_route(ffi.cast("void *", module.wm_client_node_of_key), pointer, key_text,
      key_len, KEYS, 100, sum))
    local bare = note(round, "bare", native.bare_hash(key_text, key_len, KEYS, 100, sum))
    note_ratio(round, "route_c", bare, c)
  end
  for round = 0, options.rounds do
    local ours, bytes = encode_route(client, map, OPERATIONS)
    local theirs, their_bytes = ask(peer, "encode_route_b100")
    if math.abs(bytes / their_bytes - 1) > 0.1 then fail(1, "the two sides do not write the same: " .. bytes .. " and "
      .. their_bytes .. " bytes") end
    note_ratio(round, "encode_route_b100", note(round, "peers", theirs), note(round, "ours", ours))
  end
  peer:close_stdin()
  peer:wait(10)
  peer:close()
  client:close()
  local result = { rounds = options.rounds, operations = OPERATIONS, ratios = {}, ns = {}, allocations_per_op =
    allocations_of_child() / OPERATIONS }
  for name, values in pairs(ratios) do result.ratios[name] = median(values) end
  for name, values in pairs(times) do result.ns[name] = median(values) end
  return result
end

local function report(result)
  local ns, ratios = result.ns, result.ratios
  local function row(name, ours, theirs, ratio)
    return { name, ("%.1f ns"):format(ours), ("%.1f ns"):format(theirs), ("%.2f"):format(ratio) }
  end
  io.write(text_table.format({
    { "per operation", "wingman", "peer", "times faster" },
    row("record, route, encode, frame (Lua against JavaScript)", ns.ours, ns.peers, ratios.encode_route_b100),
    row("hash and route (Lua against a search in JavaScript)", ns.ours_route, ns.peers_route, ratios.route),
    row("hash and route (C against a bare FNV-1a loop)", ns.c, ns.bare, ratios.route_c),
  }, { heading = true, indent = "  " }))
  io.write(("\n  heap allocations per write after warm-up: %g\n"):format(result.allocations_per_op))
  if options.json then io.write(cjson.encode(result), "\n") end
end

wingman.run(function()
  if os.getenv(COUNT) then return count_allocations() end
  report(bench())
end)
