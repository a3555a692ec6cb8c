--- The op log in a file: what was recorded is there after the end of the process,
--- however it ended.
local build = require "spec.support.build"
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local ffi = require "ffi"
local files = require "spec.support.files"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local wingman = require "wingman"

ffi.cdef "uint64_t XXH3_64bits_withSeed(const void *input, size_t length, uint64_t seed);"
local xxhash = ffi.load "xxhash"

local NOWHERE = "ws://127.0.0.1:1"

local paths, clients = {}, {}

local function new_path()
  local path = os.tmpname()
  os.remove(path)
  paths[#paths + 1] = path
  return path
end

local function open(path, options)
  options = options or {}
  if not options.cluster then options.server = NOWHERE end
  options.oplog = { path = path, max_ops = options.max_ops, when_full = options.when_full }
  options.max_ops, options.when_full = nil, nil
  options.log_to = function() end
  local client, err = wingman.client(options)
  clients[#clients + 1] = client
  return client, err
end

local function clean_up()
  for _, client in ipairs(clients) do client:close() end
  for _, path in ipairs(paths) do os.remove(path) end
  clients, paths = {}, {}
end

-- key -> value of what is pending, and how many operations that are.
local function pending(client)
  local found, count = {}, 0
  for _, op in ipairs(client.core:operations(0)) do
    local message = core.decode(op.bytes)
    found[op.key] = message.record.value
    count = count + 1
  end
  return found, count
end

-- Takes a batch as a transport would, and acknowledges it or not.
local function take(client, acknowledge)
  local message, count = client.core:foreign_take()
  local ops = core.decode(message).payload.ops
  if acknowledge then assert.equal(count, client.core:foreign_ack(ops[#ops].id)) end
  return count
end

-- The file cannot be opened: the error names it, its problem and what is wrong.
local function refused(path, problem, text, options)
  local client, err = open(path, options)
  assert.is_nil(client)
  assert.equal("OPLOG", err.code)
  assert.equal(problem, err.problem)
  assert.equal(path, err.path)
  for _, part in ipairs { path, text } do assert.truthy(err.message:find(part, 1, true), err.message) end
end

local function size_of(path)
  local file = assert(io.open(path, "rb"))
  local size = file:seek "end"
  file:close()
  return size
end

describe("op log in a file", function()
  after_each(clean_up)

  it("has values that are as deeply nested as they may be", function()
    local function nested(depth)
      local value = "inside"
      for _ = 1, depth do value = { value } end
      return value
    end
    local path = new_path()
    local client = assert(open(path))
    local depth, err = 0
    repeat
      depth = depth + 1
      local seq
      seq, err = client:map "m":set("k", nested(depth))
    until not seq
    assert.equal("NOT_ENCODABLE", err.code)
    assert.equal(121, depth)
    client:close()

    client = assert(open(path))
    assert.same(nested(120), client:map "m":get "k")
  end)

  it("has what is pending, and its values, after a new start", function()
    local path = new_path()
    local client = assert(open(path))
    local map = client:map "m"
    assert(map:set("a", { v = 1 }))
    assert(map:set("a", { v = 2 }))
    assert(map:set("text", "ü"))
    assert(map:set("gone", true))
    assert(map:remove "gone")
    local time, id = map:record "a", client.options.client_id
    client:close()

    client = assert(open(path))
    map = client:map "m"
    assert.equal(5, client:pending_ops())
    assert.equal(5, client:stats().ops_loaded)
    assert.equal(id, client.options.client_id)
    assert.same({ v = 2 }, map:get "a")
    assert.same(time, map:record "a")
    assert.equal("ü", map:get "text")
    assert.is_nil(map:get "gone")
    -- A later write is later by the clock, and comes after in the queue.
    local seq = assert(map:set("a", { v = 3 }))
    assert.equal(6, seq)
    assert.is_true(map:record("a").millis > time.millis
      or (map:record("a").millis == time.millis and map:record("a").counter > time.counter))
    local message = client.core:foreign_take()
    local values = {}
    for _, op in ipairs(core.decode(message).payload.ops) do
      if op.key == "a" then values[#values + 1] = op.record.value.v end
    end
    assert.same({ 1, 2, 3 }, values)
  end)

  it("has those of thousands of maps", function()
    local path, maps = new_path(), 3000
    local client = assert(open(path))
    for i = 1, maps do assert(client:map("m" .. i):set("k", i)) end
    for i = 1, maps, 2 do assert(client:map("m" .. i):remove "k") end
    client:close()
    client = assert(open(path))
    assert.equal(maps + maps / 2, client:pending_ops())
    for i = 1, maps do
      local expected
      if i % 2 == 0 then expected = i end
      assert.equal(expected, client:map("m" .. i):get "k")
    end
  end)

  it("is refused with an operation of a kind that there is not", function()
    local path = new_path()
    local client = assert(open(path))
    assert(client:map "m":set("k", 1))
    client:close()
    local file = assert(io.open(path, "r+b"))
    local at = assert(file:read("*a"):find("opType\163PUT", 1, true))
    file:seek("set", at - 1)
    file:write "opType\163PUX"
    file:close()
    local again, err = open(path)
    assert.is_nil(again)
    assert.truthy(err.message:find("is damaged", 1, true), err.message)
  end)

  it("forgets what was acknowledged", function()
    local path = new_path()
    local client = assert(open(path, { batch = { ops = 100 } }))
    local map = client:map "m"
    for i = 1, 250 do assert(map:set("k" .. i, { v = i })) end
    assert.equal(100, take(client, true))
    assert.equal(100, take(client, true))
    local left = pending(client)
    client:close()
    client = assert(open(path))
    local found, count = pending(client)
    assert.equal(50, count)
    assert.same(left, found)
    take(client, true)
    client:close()
    assert.equal(0, assert(open(path)):pending_ops())
  end)

  it("is not larger than a few times what is pending", function()
    local path = new_path()
    local client = assert(open(path, { batch = { ops = 46, in_flight = 100000 } }))
    local map = client:map "m"
    local text = ("x"):rep(1000)
    -- Of each tick four in fifty stay unacknowledged.
    for tick = 1, 1000 do
      for i = 1, 50 do assert(map:set(("t%d-%d"):format(tick, i), { text = text })) end
      assert(client:sync())
      assert.equal(46, take(client, true))
      assert.equal(4, take(client, false))
    end
    assert(client:sync())
    local _, bytes = client.core:pending()
    assert.equal(4000, client:pending_ops())
    assert.is_true(size_of(path) < 6 * bytes, ("%d bytes for %d"):format(size_of(path), bytes))
    local expected = pending(client)
    client:close()
    assert.same(expected, (pending(assert(open(path)))))
  end)

  it("keeps every write through SIGKILL at any moment", function()
    local path = new_path()
    local seed = os.time()
    math.randomseed(seed)
    local written, acknowledged = {}, {}
    local function note(line)
      local what, tick = line:match "^(%a+) (%d+)$"
      if what then (what == "written" and written or acknowledged)[tonumber(tick)] = true end
    end
    for round = 1, 15 do
      local child = assert(process.spawn {
        file = process.wingman_path(), args = { "run", "spec/support/oplog_writer.lua", path, tostring(round * 1e6) },
      })
      local line = assert(child:read_line(60))
      for _ = 1, math.random(30, 150) do
        note(line)
        line = assert(child:read_line(60))
      end
      child:kill "SIGKILL" -- it has gone on since it wrote that line
      while line do
        note(line)
        line = child:read_line(60)
      end
      child:wait(60)
      child:close()
    end
    local client = assert(open(path))
    local found = pending(client)
    local kept, forgotten = 0, 0
    for tick in pairs(written) do
      for i = 1, 20 do
        local value = found[("%d-%d"):format(tick, i)]
        local context = ("seed %d, tick %d, write %d"):format(seed, tick, i)
        if tick % 3 == 0 then
          assert.same({ tick = tick, i = i }, value, context)
          kept = kept + 1
        elseif acknowledged[tick] then
          assert.is_nil(value, context)
          forgotten = forgotten + 1
        end
      end
    end
    assert.is_true(kept > 1000 and forgotten > 1000, ("%d kept, %d forgotten"):format(kept, forgotten))
  end)

  it("is as it was or refused, with what can be saved, whatever becomes of its bytes", function()
    local seed = os.time()
    -- In memory: what salvage writes waits for the disk, which may have a lot to do.
    local directory = "/dev/shm/" .. new_path():match "[^/]*$"
    assert(process.spawn({ file = "/bin/mkdir", args = { directory } })):wait(60)
    local child = assert(process.spawn {
      file = process.wingman_path(),
      args = { "run", "spec/support/oplog_damage.lua", directory, tostring(build.is_sanitized and 500 or 2000), tostring(seed) },
      stderr = true,
    })
    local output = child:read_all(300)
    local code, signal = child:wait(60)
    local context = ("seed %d: exit code %s, signal %s\n%s%s"):format(seed, tostring(code), tostring(signal),
      output:sub(-2000), child:read_all(60, "stderr"):sub(-2000))
    child:close()
    assert(process.spawn({ file = "/bin/rm", args = { "-r", directory } })):wait(60)
    local whole, refusals, wrong, saved = output:match "whole (%d+) refused (%d+) wrong (%d+) saved (%d+)\n$"
    assert.equal("0", wrong, context)
    -- Some 13 of 500 damages do not matter, such as the cut of what a crash may cut.
    assert.is_true(tonumber(whole) > 0 and tonumber(refusals) > 300 and tonumber(saved) > 500, context)
  end)

  for _, when_full in ipairs { "fail", "drop_oldest" } do
    it("takes no write while its file cannot be written, drops none, and goes on when it can, with " .. when_full, function()
      local child = assert(process.spawn {
        file = process.wingman_path(), args = { "run", "spec/support/oplog_disk_full.lua", new_path(), when_full }, stderr = true,
      })
      assert.equal("full: OPLOG the disk is full\n"
        .. "everything recorded is pending\n"
        .. "recovered\n"
        .. "everything is in the file\n", child:read_all(60))
      assert.truthy(child:read_all(60, "stderr"):find("error oplog_not_written", 1, true))
      assert.equal(0, child:wait(60))
      child:close()
    end)
  end

  it("refuses what is no op log, is of another client or in use, says so and changes nothing", function()
    local path = new_path()
    local client = assert(open(path))
    refused(path, "busy", "another client has it open")
    client:close()
    refused(path, "other_client", "option client_id", { client_id = "somebody" })
    assert(open(path)):close()

    for text, problem in pairs {
      [("this is no op log\n"):rep(1000)] = "not_a_log", short = "not_a_log", ["12345678wingman log file"] = "damaged",
    } do
      files.write(path, text)
      refused(path, problem, problem == "damaged" and "its head is damaged" or "no op log")
      assert.equal(text, files.read(path))
    end
    os.remove(path)
    assert(process.spawn({ file = "/bin/mkdir", args = { path } })):wait(60)
    refused(path, "io", "Is a directory")

    refused(new_path() .. "/in/no/directory", "io", "No such file")
  end)

  it("is refused when nothing is left of it, by a cut or by zeros, and begun anew once it is removed", function()
    for _, left in ipairs { "", ("\0"):rep(4096) } do
      local path = new_path()
      local client = assert(open(path))
      assert(client:map "m":set("k", 1))
      client:close()
      files.write(path, left)
      refused(path, "damaged", "if you remove it, a new one is created")
      assert.equal(left, files.read(path))
      os.remove(path)
      client = assert(open(path))
      assert.equal(0, client:pending_ops())
      client:close()
    end
  end)

  it("is there as a whole or not at all: where it cannot be written nothing is left", function()
    local directory = new_path()
    assert(process.spawn({ file = "/bin/mkdir", args = { directory } })):wait(60)
    local child = assert(process.spawn { file = "/bin/sh", stdin = true, stderr = true,
      args = { "-c", 'ulimit -f 0; exec "$0" "$@"', process.wingman_path(), "run", "-", directory .. "/a.log" } })
    child:write [[
      local client, err = require("wingman").client { server = "ws://127.0.0.1:1", oplog = { path = arg[1] } }
      print(client, err.problem, err.message)
    ]]
    child:close_stdin()
    local said = child:read_all(60)
    assert.truthy(said:find("^nil\tio\t.*: the disk is full"), said .. child:read_all(60, "stderr"))
    child:close()
    local list = assert(io.popen("ls -A " .. directory))
    assert.equal("", list:read "*a")
    list:close()
  end)

  it("is not made through a link that leads to no file", function()
    local path = new_path()
    assert(process.spawn({ file = "/bin/ln", args = { "-s", path .. ".nowhere", path } })):wait(60)
    refused(path, "io", "a symbolic link to a file that does not exist")
  end)

  it("refuses a file of the first format, of LMDB, and changes nothing", function()
    local path = new_path()
    -- The first page as LMDB 0.9 has it: its number, its kind (8 is meta), and its magic.
    local text = ("\0"):rep(10) .. "\8\0" .. ("\0"):rep(4) .. "\222\192\239\190\1\0\0\0" .. ("\0"):rep(8168)
    files.write(path, text)
    refused(path, "old_format", "commit a82922c")
    assert.equal(text, files.read(path))
  end)

  it("refuses a file of a newer format", function()
    local path = new_path()
    assert(open(path)):close()
    local bytes = files.read(path)
    -- The head: its checksum of 8 bytes, then what it covers: magic, kind, id (the seed) and format.
    local head = bytes:sub(9, 48) .. "\3\0\0\0" .. bytes:sub(53, 56)
    local id = ffi.new("uint64_t[1]")
    ffi.copy(id, bytes:sub(41, 48), 8)
    local check = ffi.new("uint64_t[1]", xxhash.XXH3_64bits_withSeed(head, #head, id[0]))
    files.write(path, ffi.string(check, 8) .. head .. bytes:sub(57))
    refused(path, "new_format", "its format is 3")
  end)

  -- What becomes of a file while it is open, and what its client says.
  local function tell(client)
    local reported = {}
    client:on("oplog_error", function(err) reported[#reported + 1] = err.problem end)
    client:on("oplog_recovered", function() reported[#reported + 1] = "recovered" end)
    return reported
  end

  local function wait_for(reported, text)
    eventually("the client says: " .. text, function() return table.concat(reported, " ") == text, reported end)
  end

  for what, damage in pairs { removed = os.remove, changed = function(path) files.write(path, "") end } do
    it("that is " .. what .. " while it is open is missed, and written anew", function()
      wingman.run(function()
        local path = new_path()
        local client = assert(open(path))
        local reported = tell(client)
        for i = 1, 100 do assert(client:map "m":set("k" .. i, { v = i })) end
        assert(client:sync())
        local before = pending(client)
        damage(path)
        wait_for(reported, what .. " recovered") -- with no write that shows it
        assert(client:map "m":set("k101", { v = 101 }))
        assert(client:sync())
        before.k101 = { v = 101 }
        client:close()
        assert.same(before, (pending(assert(open(path)))))
      end)
    end)
  end

  it("that is moved away while it is open stays as it is there, and a new one is written", function()
    wingman.run(function()
      local path = new_path()
      local client = assert(open(path))
      local reported = tell(client)
      for i = 1, 100 do assert(client:map "m":set("k" .. i, { v = i })) end
      assert(client:sync())
      local bytes = files.read(path)
      paths[#paths + 1] = path .. ".moved"
      os.rename(path, path .. ".moved")
      wait_for(reported, "removed recovered")
      for i = 1, 10 do
        assert(client:map "m":set("more" .. i, i))
        assert(client:sync())
      end
      client:close()
      assert.equal(bytes, files.read(path .. ".moved"))
      assert.equal(110, assert(open(path)):pending_ops())
    end)
  end)

  it("that another file stands in the place of makes writes wait, which is logged at once with what to do", function()
    wingman.run(function()
      local path, lines = new_path(), {}
      paths[#paths + 1] = path .. ".moved"
      local client = assert(open(path, { when_full = "pause" }))
      client.options.log_to = function(_, event, fields) lines[#lines + 1] = { event, fields.problem, fields.writes, fields.cure } end
      assert(client:map "m":set("before", 1))
      assert(client:sync())
      os.rename(path, path .. ".moved")
      files.write(path, "mine")
      local writer = loop.spawn(function()
        local count = 0
        repeat -- some are taken before it is seen
          assert(client:map "m":set("k" .. count, count))
          count = count + 1
          loop.sleep(0.001)
        until #lines > 1
        return count
      end)
      eventually("the log says that writes wait", function() return lines[1], lines end)
      assert.same({ "oplog_not_written", "replaced", "wait",
        "move the other file away, and the log is written there anew with all that it holds" }, lines[1])
      loop.sleep(0.01)
      assert.is_false(writer.done)
      os.remove(path)
      local count = assert(writer:wait(60))
      assert.equal("oplog_written_again", lines[2][1])
      client:close()
      assert.equal(1 + count, assert(open(path)):pending_ops())
    end)
  end)

  it("is there after close though it was removed before, and what cannot be kept is logged", function()
    local path, lines = new_path(), {}
    local client = assert(open(path))
    client.options.log_to = function(level, event, fields) lines[#lines + 1] = { level, event, fields.problem, fields.pending } end
    assert(client:map "m":set("a", 1))
    assert(client:sync())
    os.remove(path)
    client:close()
    assert.same({}, lines)
    client = assert(open(path))
    assert.same({ a = 1 }, (pending(client)))

    client.options.log_to = function(level, event, fields) lines[#lines + 1] = { level, event, fields.problem, fields.pending } end
    assert(client:map "m":set("b", 2))
    os.remove(path)
    files.write(path, "mine")
    client:close()
    assert.same({ { "error", "oplog_not_written_at_close", "replaced", 2 } }, lines)
    assert.equal("mine", files.read(path))
  end)

  it("that another file takes the place of while it is open is missed, and the other left alone", function()
    wingman.run(function()
      local path = new_path()
      local client = assert(open(path, { when_full = "fail" }))
      local reported = tell(client)
      assert(client:map "m":set("a", 1))
      assert(client:sync())
      os.rename(path, path .. ".aside")
      files.write(path, "mine")
      wait_for(reported, "replaced")
      local seq, err = client:map "m":set("b", 2)
      assert.is_nil(seq)
      assert.equal("OPLOG", err.code)
      assert.truthy(err.message:find("another file was put in its place", 1, true), err.message)
      assert.equal("mine", files.read(path))
      os.remove(path)
      wait_for(reported, "replaced recovered")
      assert(client:map "m":set("b", 2))
      client:close()
      assert.same({ a = 1, b = 2 }, (pending(assert(open(path)))))
      os.remove(path .. ".aside")
    end)
  end)
end)

clusters.on_each(getfenv(), "op log in a file", function(shared, it)
  after_each(clean_up)

  it("delivers what an earlier process left", function()
    local path, name = new_path(), shared:map_name()
    local options = { cluster = { seeds = shared.cluster.urls }, auth = { token = shared.cluster.token } }
    local client = assert(open(path, options)) -- never started: as if it had died before
    for i = 1, 500 do assert(client:map(name):set("key-" .. i, { v = i })) end
    client:close()
    client = assert(open(path, { cluster = options.cluster, auth = options.auth }))
    assert.equal(500, client:pending_ops())
    assert(client:start())
    assert(client:drain(60))
    local values = shared:values(client, name)
    for i = 1, 500 do assert.same({ v = i }, values["key-" .. i]) end
    client:close()
    assert.equal(0, assert(open(path)):pending_ops())
  end)
end)
