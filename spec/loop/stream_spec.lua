local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local stream = require "wingman.loop.stream"

describe("stream", function()
  local path, open
  before_each(function()
    path, open = os.tmpname(), {}
    os.remove(path)
  end)
  after_each(function()
    for _, one in ipairs(open) do one:close() end
    os.remove(path)
  end)

  local function keep(one, err)
    assert(one, err)
    open[#open + 1] = one
    return one
  end

  local function pair(options)
    local listener = keep(stream.listen(options))
    local client = keep(stream.connect { path = options.path, port = listener.port })
    return client, keep(listener:accept(5)), listener
  end

  for name, options in pairs { ["in the file system"] = true, ["by TCP"] = { port = 0 } } do
    it("carries lines in both directions, " .. name, function()
      local client, server = pair(options == true and { path = path } or options)
      assert(client:write "one\ntwo\n")
      assert.equal("one", server:read_line(60))
      assert(server:write "three\n")
      assert.equal("three", client:read_line(60))
      assert.equal("two", server:read_line(60))
      client:close()
      assert.same({ nil, "closed" }, { server:read_line(60) })
    end)
  end

  it("gives a last line that has no end", function()
    local client, server = pair { path = path }
    assert(client:write "left")
    client:close()
    assert.equal("left", server:read_line(60))
    assert.same({ nil, "closed" }, { server:read_line(60) })
  end)

  it("carries more than a socket holds, and tells when it is through", function()
    local client, server = pair { path = path }
    local text, got = ("0123456789abcdef"):rep(256 * 1024), {}
    assert(client:write(text))
    assert.same({ nil, "timeout" }, { client:drain(0.01) })
    local reader = loop.spawn(function()
      local size = 0
      while size < #text do
        got[#got + 1] = assert(server:read(5))
        size = size + #got[#got]
      end
    end)
    assert.is_true(client:drain(60))
    reader:wait(60)
    assert.is_true(table.concat(got) == text)
  end)

  it("refuses to hold more than 16 MiB", function()
    local client = pair { path = path }
    assert(client:write(("x"):rep(16 * 1024 * 1024)))
    local ok, err
    repeat ok, err = client:write(("x"):rep(1024 * 1024)) until not ok
    assert.equal("no buffer space available", err)
  end)

  it("reads what came before a reset, and then its name", function()
    local client, server = pair { port = 0 }
    assert(client:write "not read by the server")
    assert(server:write "last words")
    eventually("all is written", function() return server.socket:unwritten() == 0, server.socket:unwritten() end)
    loop.iterate(0.01) -- what is unread when a socket is closed makes the system reset it
    server:close()
    assert.equal("last words", client:read(5))
    assert.same({ nil, "connection reset by peer" }, { client:read(5) })
  end)

  it("ends waits when it is closed", function()
    local listener = keep(stream.listen { path = path })
    local waiting = loop.spawn(function() return { listener:accept() } end)
    loop.iterate(0)
    listener:close()
    assert.same({ nil, "closed" }, waiting:wait(60))
    assert.is_true(listener:closed())
    assert.is_nil(io.open(path), "the file is still there")
  end)

  it("times out, and goes on afterwards", function()
    local client, server = pair { path = path }
    assert.same({ nil, "timeout" }, { server:read_line(0.01) })
    assert(client:write "late\n")
    assert.equal("late", server:read_line(60))
  end)

  it("lets only its owner in", function()
    keep(stream.listen { path = path })
    local child = assert(process.spawn { file = "stat", args = { "-c", "%a", path } })
    assert.equal("600", child:read_line(60))
    child:close()
  end)

  it("replaces the file of a process that died, not of one that listens", function()
    local child = assert(process.spawn { file = process.wingman_path(), args = { "run", "-", path }, stdin = true })
    assert(child:write [[
      local stream = require "wingman.loop.stream"
      assert(stream.listen { path = arg[1] })
      print "ready"
      io.stdout:flush()
      require "wingman".sleep(60)
    ]])
    child:close_stdin()
    assert.equal("ready", child:read_line(60))
    local listener, err = stream.listen { path = path }
    assert.is_nil(listener)
    assert.equal(path .. ": address already in use", err)
    child:kill "SIGKILL"
    child:wait(60)
    child:close()
    pair { path = path }
  end)

  it("does not remove what is not a socket", function()
    io.open(path, "w"):close()
    local listener, err = stream.listen { path = path }
    assert.is_nil(listener)
    assert.equal(path .. ": address already in use", err)
  end)

  it("says why nobody answers", function()
    local _, err = stream.connect { path = path }
    assert.equal(path .. ": no such file or directory", err)
    local listener = keep(stream.listen { port = 0 })
    local port = listener.port
    listener:close()
    local client = keep(stream.connect { port = port })
    local _, reason = client:read_line(60)
    assert.equal("connection refused", reason)
  end)

  it("refuses options that it does not know", function()
    assert.has_error(function() stream.listen { file = "x" } end, "stream.listen: unknown option 'file'; there are host, mode, path, port")
    assert.has_error(function() stream.listen {} end, "stream.listen: one of path and port is needed")
    assert.has_error(function() stream.connect { path = 1 } end, "stream.connect: option path: a string is expected, got 1")
  end)
end)
