--- A copy that is kept in a file: what is there after a restart, what is read then, and what becomes of a file that is in use, damaged or
--- of another cluster.
local checker = require "spec.support.replica_checker"
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local files = require "spec.support.files"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local testbed = require "wingman.testbed"

local env = getfenv()

-- A walk may ask for 5 % of the leaves of a tree.
local MOST_REQUESTS = 4096 * 0.05
local NOWHERE = { seeds = { "ws://127.0.0.1:1" } }

local folders = {}

local function new_folder()
  local path = os.tmpname()
  os.remove(path)
  folders[#folders + 1] = path
  return path
end

local function remove_folders()
  for _, path in ipairs(folders) do assert(process.spawn({ file = "/bin/rm", args = { "-rf", path } })):wait(60) end
  folders = {}
end

-- What the specs of one cluster use.
local function with_helpers(shared)
  local h = {}
  function h.begin()
    h.writer, h.name, h.folder = shared:started(), shared:map_name(), new_folder()
    h.written = h.writer:map(h.name)
    h.path = ("%s/%s.copy"):format(h.folder, h.name)
    eventually("every node is connected", function() return #h.writer:connected_nodes() == #shared.cluster.nodes end)
  end

  function h.write(from, to, value_of)
    for i = from, to do assert(h.written:set("k" .. i, value_of(i))) end
    assert(h.writer:drain(60))
  end

  -- A client that never reaches a node, and its copy.
  function h.offline()
    local client = shared:client { cluster = NOWHERE, copy = { path = h.folder } }
    local map = client:map(h.name)
    return map, assert(map:replicate { persist = true }), client
  end

  function h.online()
    local client = shared:started { copy = { path = h.folder } }
    eventually("every node is connected", function() return #client:connected_nodes() == #shared.cluster.nodes end)
    local map = client:map(h.name)
    return map, assert(map:replicate { persist = true }), client
  end

  function h.assert_right(map)
    assert(map:synced(60))
    local differences
    eventually("the copy is what the nodes hold", function()
      differences = checker.differences(map, checker.expected(h.writer, h.name))
      return not differences, differences
    end)
  end

  -- A file of what is there.
  function h.keep()
    local map, _, client = h.online()
    h.assert_right(map)
    client:close()
  end

  function h.child(environment)
    return assert(process.spawn {
      file = process.wingman_path(), env = environment, stderr = true,
      args = { "run", "spec/support/copy_keeper.lua", h.folder, h.name, shared.cluster.token, unpack(shared.cluster.urls) },
    })
  end
  return h
end

clusters.on_each(env, "a kept copy", function(shared, it)
  local h = with_helpers(shared)
  before_each(function() h.begin() end)
  after_each(remove_folders)

  it("is there at once without a network, says how old it is, and follows when it can", function()
    local values = { f = false, text = "", list = { 1, { 2 } }, ["key ä"] = { x = -1.5 }, big = ("x"):rep(70000) }
    for key, value in pairs(values) do assert(h.written:set(key, value)) end
    h.write(1, 300, function(i) return { v = i } end)
    for i = 1, 20 do assert(h.written:remove("k" .. i)) end
    assert(h.writer:drain(60))
    local first, first_copy, client = h.online()
    h.assert_right(first)
    assert.equal(h.path, first_copy:status().file.path)
    h.write(21, 30, function() return "followed" end)
    for i = 281, 290 do assert(h.written:remove("k" .. i)) end -- which are in the file
    assert(h.writer:drain(60))
    h.assert_right(first)
    client:close()

    local map, copy, reader = h.offline()
    local status = copy:status()
    assert.same({ "stale", 275, 275 }, { status.state, status.records, map:size() })
    assert.is_true(status.age >= 0 and status.age < 60, status.age)
    for _, node in ipairs(shared.cluster.nodes) do assert.equal("number", type(status.equal_at[node.id]), node.id) end
    for key, value in pairs(values) do assert.same(value, map:get(key), key) end
    assert.same({ { v = 31 }, "followed", nil, nil }, { map:get "k31", map:get "k21", map:get "k20", map:get "k285" })
    assert.is_nil(checker.differences(map, checker.expected(h.writer, h.name)))
    reader:close()

    h.write(1, 40, function(i) return { v = -i } end)
    h.assert_right((h.online()))
  end)

  it("that is replicated before the start is used, also where the hash of the cluster is found later", function()
    h.write(1, 300, function(i) return { v = i } end)
    h.keep()
    local client = shared:client { copy = { path = h.folder } }
    local map = client:map(h.name)
    local copy = assert(map:replicate { persist = true })
    assert(client:start())
    h.assert_right(map)
    assert.is_nil(copy:status().file.dropped)
    assert.same({}, shared:logged "copy_dropped")
    local requests = copy:status().requests
    assert.is_true(requests <= 4 * #shared.cluster.nodes, requests .. " requests though nothing differs")
  end)

  it("is read where it differs, and nowhere else", function()
    h.write(1, 2000, function(i) return { v = i } end)
    h.keep()
    local map, copy, client = h.online()
    h.assert_right(map)
    local idle = copy:status().requests
    assert.is_true(idle <= 4 * #shared.cluster.nodes, idle .. " requests though nothing differs")
    client:close()
    for i = 1, 3 do assert(h.written:set("k" .. i * 100, "changed")) end
    assert(h.written:remove "k1000")
    assert(h.writer:drain(60))
    local later, later_copy = h.online()
    h.assert_right(later)
    local status = later_copy:status()
    assert.is_true(status.requests <= MOST_REQUESTS, status.requests .. " requests for four changes")
    assert.same({ "live", 1999, "changed" }, { status.state, later:size(), later:get "k200" })
  end)

  it("survives SIGKILL: what was there before is in it, and it becomes right", function()
    h.write(1, 200, function() return { v = 0 } end)
    for round = 1, 3 do
      local child = h.child()
      assert.equal("synced", child:read_line(60))
      h.write(1, 200, function() return { v = round } end)
      assert(h.written:set("round", round))
      assert(h.writer:drain(60))
      local line
      repeat line = child:read_line(60) until not line or line == "has " .. round
      assert(line)
      for i = 1, 200 do assert(h.written:set("k" .. i, { v = round + 0.5 })) end
      loop.sleep(0.01 * round)
      child:kill "SIGKILL"
      child:wait(60)
      child:close()
      assert(h.writer:drain(60))
      local map, copy, client = h.offline()
      assert.same({ "stale", 201 }, { copy:status().state, map:size() })
      for i = 1, 200 do
        local v = map:get("k" .. i).v
        assert.is_true(v == round or v == round + 0.5, ("k%d is %s in round %d"):format(i, tostring(v), round))
      end
      client:close()
    end
    h.assert_right((h.online()))
  end)
end)

clusters.on_each(env, "the file of a kept copy", function(shared, it)
  local h = with_helpers(shared)
  before_each(function() h.begin() end)
  after_each(remove_folders)

  it("is of one client at a time; another one is refused, and nothing is lost", function()
    h.write(1, 100, function(i) return { v = i } end)
    local map, _, first = h.online()
    h.assert_right(map)
    local client = shared:started { copy = { path = h.folder } }
    local copy, err = client:map(h.name):replicate { persist = true }
    assert.same({ nil, "BUSY", h.path, "busy" }, { copy, err.code, err.path, err.problem })
    assert.truthy(err.message:find("another client has it open; close that one first, or give this client a folder of its own", 1, true), err.message)
    assert.is_nil(client:map(h.name).copy)
    assert(client:map("other"):replicate { persist = true })
    local child = h.child()
    assert.is_nil(child:read_line(60)) -- a process that is refused, too, ends
    assert.not_equal(0, (child:wait(60)))
    child:close()
    first:close()
    assert(client:map(h.name):replicate { persist = true })
    assert.equal(100, client:map(h.name):size())
  end)

  it("takes an option of the client, and a copy that is kept from its beginning", function()
    local client = shared:started()
    assert.error_matches(function() client:map(h.name):replicate { persist = true } end, "persist takes the client option copy.path")
    local map = shared:started({ copy = { path = h.folder } }):map(h.name)
    assert(map:replicate())
    assert.error_matches(function() map:replicate { persist = true } end, "is replicated already, without persist")
  end)

  it("that cannot be made, or is another kind of file, is refused and not changed", function()
    local client = shared:client { copy = { path = h.folder .. "/no/such" } }
    local _, err = client:map(h.name):replicate { persist = true }
    assert.same({ "COPY", "io" }, { err.code, err.problem })
    h.keep()
    files.write(h.path, ("a diary\n"):rep(1000))
    _, err = shared:client({ copy = { path = h.folder } }):map(h.name):replicate { persist = true }
    assert.same({ "COPY", "not_a_log" }, { err.code, err.problem })
    assert.equal(("a diary\n"):rep(1000), files.read(h.path))
  end)

  it("that is damaged or cut is told, set aside and fetched anew", function()
    h.write(1, 300, function(i) return { v = i, text = ("x"):rep(50) } end)
    h.keep()
    local whole, told = files.read(h.path), 0
    local function open_with(bytes, what)
      shared.log = {}
      files.write(h.path, bytes)
      local map, copy, client = h.offline()
      local size, dropped = map:size(), copy:status().file.dropped
      assert.is_true(size == 300 and not dropped or size == 0 and type(dropped) == "string", ("%s: %d, %s"):format(what, size, tostring(dropped)))
      for key, value in map:each() do assert.same({ key, ("x"):rep(50) }, { "k" .. value.v, value.text }, what) end
      if dropped then
        told = told + 1
        assert.equal("snapshot", copy:status().state)
        assert.equal(bytes, files.read(h.path .. ".damaged"))
        assert.equal(1, #shared:logged "copy_dropped")
      end
      client:close()
    end
    for _, at in ipairs { 0, 8, 20, 520, 1030, 4096, 4100, 4130, 4200, 9000, #whole - 20 } do
      open_with(whole:sub(1, at) .. string.char((whole:byte(at + 1) + 1) % 256) .. whole:sub(at + 2), "byte " .. at)
    end
    for _, length in ipairs { 0, 100, 4096, 5000, #whole - 1 } do open_with(whole:sub(1, length), "cut to " .. length) end
    assert.equal(16, told) -- none of these bytes is one that nothing depends on
    files.write(h.path, whole:sub(1, 5000))
    local map = h.online()
    h.assert_right(map)
  end)

  it("that is full is told once; the copy goes on in memory, and the file is consistent, and whole when it can be", function()
    h.write(1, 200, function() return { v = 0 } end)
    local environment = { FULL = "1" }
    for _, variable in ipairs { "PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "HOME" } do environment[variable] = os.getenv(variable) end
    local child = h.child(environment)
    assert.equal("synced", child:read_line(60))
    h.write(1, 200, function() return { v = 1, text = ("x"):rep(1000) } end)
    assert.equal("copy_not_written the disk is full", child:read_line(60))
    h.write(1, 5, function() return { v = 2 } end)
    assert(h.written:set("grow", false))
    assert.equal("copy_written_again ", child:read_line(60))
    assert(h.written:set("round", 1))
    assert.equal("has 1", child:read_line(60))
    child:kill "SIGKILL"
    child:wait(60)
    child:close()
    local map = h.offline()
    assert.same({ 202, 2, 1 }, { map:size(), map:get "k1".v, map:get "k6".v })
  end)

  it("stays small though all of it is written again and again, and has the last values", function()
    local map, copy, client = h.online()
    local rewrites, before, text = 0, 0, ("x"):rep(4000)
    for round = 1, 12 do
      h.write(1, 300, function() return { v = round, text = text } end)
      assert(map:synced(60))
      local bytes = copy:status().file.bytes
      rewrites, before = rewrites + (bytes < before and 1 or 0), bytes
      assert.is_true(bytes < 12 * 1024 * 1024, bytes)
    end
    assert.is_true(rewrites > 0, "the file was never written anew")
    client:close()
    map, copy = h.offline()
    assert.same({ 300, "stale" }, { map:size(), copy:status().state })
    for _, value in map:each() do assert.same({ v = 12, text = text }, value) end
  end)

  it("of another cluster is dropped, and told", function()
    h.write(1, 50, function(i) return { v = i } end)
    h.keep()
    local other = assert(testbed.start(shared.is_0_11 and "sim://1" or "sim://1?dialect=0.11"))
    local client = shared:client { cluster = { seeds = other.urls }, auth = { token = other.token }, copy = { path = h.folder } }
    local map = client:map(h.name)
    local copy = assert(map:replicate { persist = true })
    local told = {}
    map:watch(nil, function(key, value) told[key] = value or "none" end)
    assert.equal(50, map:size())
    assert(client:start())
    assert(map:synced(60))
    assert.same({ "live", 0 }, { copy:status().state, map:size() })
    assert.truthy(copy:status().file.dropped:find("another cluster", 1, true))
    eventually("it is told that the values are no more", function() return told.k50 == "none" end)
    client:close()
    other:stop()
    assert.equal(0, (h.offline()):size())
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
