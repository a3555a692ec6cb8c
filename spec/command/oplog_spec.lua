--- `wingman oplog`: what it says of a file, whole, damaged, in use or something else, and what it
--- saves.
local cjson = require "cjson"
local files = require "spec.support.files"
local process = require "wingman.loop.process"
local wingman = require "wingman"

local directory
local clients = {}

local function sh(...) assert.equal(0, (assert(process.spawn { file = "/bin/" .. (...), args = { select(2, ...) } }):wait(60))) end

local function oplog(...)
  local child = assert(process.spawn { file = process.wingman_path(), args = { "oplog", ... }, stderr = true })
  local output, errors = child:read_all(60), child:read_all(60, "stderr")
  local code = child:wait(60)
  child:close()
  return code, output, errors
end

local function open(path)
  local client = assert(wingman.client { server = "ws://127.0.0.1:1", oplog = { path = path }, log_to = function() end })
  clients[#clients + 1] = client
  return client
end

-- A log of thirty operations, in three commits; the id of its client.
local function make(path)
  local client = open(path)
  for i = 1, 30 do
    assert(client:map "m":set("key-" .. i, { v = i }))
    if i % 10 == 0 then assert(client:sync()) end
  end
  client:close()
  return client.options.client_id
end

-- Changes one byte of the operation that writes this key.
local function damage(path, key)
  local at = assert(files.read(path):find(key, 1, true))
  local file = assert(io.open(path, "r+b"))
  file:seek("set", at - 1)
  file:write "K"
  file:close()
end

describe("wingman oplog", function()
  before_each(function()
    directory = os.tmpname()
    os.remove(directory)
    sh("mkdir", directory)
  end)

  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    clients = {}
    sh("rm", "-r", directory)
  end)

  it("inspect says what is in a whole file", function()
    local path = directory .. "/a.log"
    local id = make(path)
    local before = files.read(path)
    local code, output = oplog("inspect", path)
    assert.equal(0, code)
    for _, text in ipairs { path, id, "format 2", "pending operations  30\n", "acknowledged, kept  0\n", "dead letters        0\n", "whole" } do
      assert.truthy(output:find(text, 1, true), output)
    end
    local _, json = oplog("inspect", path, "--json")
    local found = cjson.decode(json)
    assert.same({ 30, 0, 30, 0, false, false, id, path },
      { found.pending, found.acknowledged, found.pending_written, found.acknowledged_written, found.damaged, found.in_use, found.client, found.file })
    assert.equal(before, files.read(path))
  end)

  it("inspect tells the last commit of a file that is in use", function()
    local path = directory .. "/a.log"
    make(path)
    open(path)
    local code, output = oplog("inspect", path)
    assert.equal(0, code)
    assert.truthy(output:find("a client has it open", 1, true), output)
    assert.truthy(output:find("pending operations  30\n", 1, true), output)
    local refused, _, err = oplog("salvage", path)
    assert.equal(1, refused)
    assert.truthy(err:find("a client has it open", 1, true), err)
    assert.is_nil(io.open(path .. ".salvaged"))
  end)

  it("salvage writes what is whole into a new file, which a client opens as the same client", function()
    local path = directory .. "/a.log"
    local id = make(path)
    damage(path, "key-15")
    local damaged = files.read(path)

    local code, output = oplog("inspect", path)
    assert.equal(1, code)
    assert.truthy(output:find("damaged: from byte", 1, true), output)
    assert.truthy(output:find("it had 30 pending operations", 1, true), output)
    assert.truthy(output:find("wingman oplog salvage " .. path, 1, true), output)

    code, output = oplog("salvage", path)
    assert.equal(1, code)
    assert.truthy(output:find("Saved 20 pending operations, 0 acknowledged ones and 0 dead letters to " .. path .. ".salvaged", 1, true), output)
    assert.equal(damaged, files.read(path))

    local client = open(path .. ".salvaged")
    assert.equal(id, client.options.client_id)
    assert.equal(20, client:pending_ops())
    for i = 1, 30 do
      local expected
      if i <= 10 or i > 20 then expected = { v = i } end
      assert.same(expected, (client:map "m":get("key-" .. i)))
    end

    local again, _, err = oplog("salvage", path)
    assert.equal(1, again)
    assert.truthy(err:find("is there already", 1, true), err)
    local other, json = oplog("salvage", path, "--out", directory .. "/b.log", "--json")
    assert.equal(1, other)
    local found = cjson.decode(json)
    assert.same({ 20, 30, true, 1 }, { found.pending, found.pending_written, found.damaged, found.parts_missing })
  end)

  it("inspect and salvage say of an empty file that it is damaged", function()
    local path = directory .. "/a.log"
    make(path)
    files.write(path, "")
    local code, output = oplog("inspect", path)
    assert.equal(1, code)
    assert.truthy(output:find("damaged: it is empty", 1, true), output)
    code, output = oplog("salvage", path)
    assert.equal(1, code)
    assert.truthy(output:find("Saved 0 pending operations", 1, true), output)
  end)

  it("salvage finds the parts of a file whose beginning is gone", function()
    local path = directory .. "/a.log"
    local id = make(path)
    local file = assert(io.open(path, "r+b"))
    file:write(("\0"):rep(4096))
    file:close()
    local code, output = oplog("salvage", path)
    assert.equal(1, code)
    assert.truthy(output:find("Saved 30 pending operations", 1, true), output)
    local client = open(path .. ".salvaged")
    assert.equal(id, client.options.client_id)
    assert.equal(30, client:pending_ops())
  end)

  it("salvage takes no operation from bytes of a value that look like a part of a file", function()
    local inner = directory .. "/inner.log"
    make(inner)
    local path = directory .. "/a.log"
    local client = open(path)
    -- Parts begin at multiples of 8, and so does one of eight that are one byte further each.
    assert(client:map "m":set("outer", (files.read(inner):sub(4097) .. "x"):rep(8)))
    client:close()
    damage(path, "outer")
    local _, output = oplog("salvage", path)
    assert.truthy(output:find("Saved 0 pending operations", 1, true), output)
  end)

  it("refuses what is no op log, and wrong words", function()
    local path = directory .. "/a.log"
    local file = assert(io.open(path, "w"))
    file:write(("no log\n"):rep(1000))
    file:close()
    local code, _, err = oplog("inspect", path)
    assert.equal(1, code)
    assert.truthy(err:find(path .. "' cannot be inspected: it is no op log", 1, true), err)
    local _, json = oplog("inspect", path, "--json")
    assert.equal("not_a_log", cjson.decode(json).problem)
    assert.equal(1, (oplog("inspect", directory .. "/nowhere")))
    for words, text in pairs {
      [{}] = "inspect or salvage is expected", [{ "inspct" }] = "did you mean 'inspect'", [{ "inspect" }] = "a file is missing",
      [{ "inspect", "a", "b" }] = "'b' is a second one", [{ "salvage", "a", "--ot" }] = "did you mean '--out'",
      [{ "salvage", "a", "--out" }] = "--out needs a value", [{ "inspect", "a", "--out", "b" }] = "--out is for salvage",
    } do
      code, _, err = oplog(unpack(words))
      assert.equal(2, code)
      assert.truthy(err:find(text, 1, true), err)
    end
  end)
end)
