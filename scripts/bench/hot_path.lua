--- What one operation costs from Lua: record, route, encode and frame, against the
--- best that plain JavaScript does for the same work in the same run.
local cjson = require "cjson"
local ffi = require "ffi"
local key_route = require "wingman.key_route"
local loop = require "wingman.loop"
local process = require "wingman.process"
local text_table = require "wingman.text_table"
local wingman = require "wingman"

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
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
local work = directory .. "/../../build/bench-peer"

local function fail(code, message)
  io.stderr:write("hot_path: ", message, "\n")
  os.exit(code, true)
end

local function parse(arguments)
  local options = { rounds = 7 }
  local i = 1
  while arguments[i] do
    if arguments[i] == "--help" then
      io.write(USAGE)
      os.exit(0, true)
    elseif arguments[i] == "--json" then
      options.json = true
    elseif arguments[i] == "--count-allocations" then -- how this script calls itself
      options.count_allocations = true
    elseif arguments[i] == "--rounds" and tonumber(arguments[i + 1]) and tonumber(arguments[i + 1]) >= 1 then
      i = i + 1
      options.rounds = math.floor(tonumber(arguments[i]))
    else
      fail(2, "'" .. arguments[i] .. "' is no option or lacks its value\n\n" .. USAGE)
    end
    i = i + 1
  end
  return options
end

-- Set-up ---------------------------------------------------------------------------------

local function run(file, args, cwd)
  local child = assert(process.spawn { file = file, args = args, cwd = cwd, stderr = true })
  local out = child:read_all(120)
  local err = child:read_all(120, "stderr")
  local code = child:wait(120)
  child:close()
  if code ~= 0 then fail(1, file .. " " .. table.concat(args, " ") .. " failed:\n" .. out .. err) end
end

local function same(a, b)
  local one, other = io.open(a, "rb"), io.open(b, "rb")
  local is_same = one and other and one:read "*a" == other:read "*a"
  if one then one:close() end
  if other then other:close() end
  return is_same
end

local function set_up_peer()
  run("mkdir", { "-p", work })
  local lock = "/package-lock.json"
  if not same(directory .. "/peer" .. lock, work .. "/installed.json") then
    io.stderr:write "hot_path: installing the peer's npm packages\n"
    for _, name in ipairs { "/package.json", lock } do run("cp", { directory .. "/peer" .. name, work .. name }) end
    run("npm", { "install", "--no-save", "--no-audit", "--no-fund", "--omit=optional" }, work)
    run("cp", { directory .. "/peer" .. lock, work .. "/installed.json" })
  end
end

local function compile(name)
  local library = ("%s/%s.so"):format(work, name)
  run("cc", { "-O2", "-shared", "-fPIC", "-o", library, ("%s/%s.c"):format(directory, name), "-ldl" })
  return library
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

-- A masked client frame, as libwebsockets makes it when a connection sends.
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

local function route(slot_of_key, operations)
  local found = 0
  local began = loop.now()
  for i = 0, operations - 1 do
    if slot_of_key(keys[i % KEYS + 1]) == 0 then found = found + 1 end
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
    file = process.wingman_path(), args = { "run", arg[0], "--count-allocations" },
    env = { LD_PRELOAD = compile "malloc_count" },
  })
  local count = tonumber((child:read_line(120)))
  child:wait(10)
  child:close()
  return count or fail(1, "the counter of allocations said nothing")
end

-- Rounds -----------------------------------------------------------------------------------

local function median(values)
  table.sort(values)
  local middle = #values / 2
  return #values % 2 == 1 and values[middle + 0.5] or (values[middle] + values[middle + 1]) / 2
end

local function ask(peer, name)
  assert(peer:write(("%s %d\n"):format(name, OPERATIONS)))
  local answer = cjson.decode((assert(peer:read_line(120))))
  return answer.ns, answer.result
end

local function bench(options)
  set_up_peer()
  ffi.cdef [[
  double bare_hash(const char *keys, size_t len, size_t count, size_t rounds, uint32_t *sum);
  double hash_and_route(void *call, const void *client, const char *keys, size_t len, size_t count, size_t rounds,
                        uint32_t *sum);
  ]]
  local native = ffi.load(compile "hash_loop")
  local module = ffi.load(require("wingman.core").path)
  local peer = assert(process.spawn { file = "node", args = { "--expose-gc", directory .. "/peer/hot_path.js" }, stdin = true,
    env = { NODE_PATH = work .. "/node_modules" } })
  local client, map = new_client()
  local slot_of_key = key_route.new(client.core)
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
    local ours = note(round, "ours_route", route(slot_of_key, OPERATIONS * 10))
    local theirs = note(round, "peers_route", (ask(peer, "route")))
    note_ratio(round, "route", theirs, ours)
    local c = note(round, "c", native.hash_and_route(ffi.cast("void *", module.wm_client_slot_of_key), pointer, key_text,
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

local function report(result, as_json)
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
  if as_json then io.write(cjson.encode(result), "\n") end
end

local options = parse(arg)
wingman.run(function()
  if options.count_allocations then return count_allocations() end
  report(bench(options), options.json)
end)
