--- The end of a script that ends by itself: what its clients hold is sent, or reported.
local clusters = require "spec.support.cluster"
local files = require "spec.support.files"
local process = require "wingman.loop.process"

local PATIENCE = 60

-- Runs a script; the URLs of a cluster and its token are its arguments. Exit code, errors.
local function run(text, shared)
  local args = { "run", "-" }
  if shared then
    args[3], args[4] = table.concat(shared.cluster.urls, ","), shared.cluster.token
  end
  local child = assert(process.spawn { file = process.wingman_path(), args = args, stdin = true, stderr = true })
  assert(child:write(text))
  child:close_stdin()
  local err = child:read_all(PATIENCE, "stderr")
  local code = child:wait(PATIENCE)
  child:close()
  return code, err
end

-- A script without a loop of its own: nothing in it waits after the writes.
local function writer(name, ending)
  return ([[
    local wingman = require "wingman"
    local client = wingman.client { cluster = arg[1], auth = { token = arg[2] } }
    assert(client:start())
    local map = client:map %q
    for i = 1, 1000 do assert(map:set("k" .. i, { i })) end
    %s]]):format(name, ending)
end

clusters.on_each(getfenv(), "a script that ends by itself", function(shared, it)
  for ending, expected in pairs { [""] = 0, ["return 5"] = 5, ["error 'boom'"] = 1 } do
    it(("leaves its writes at the cluster, and ends with %d"):format(expected), function()
      local name = shared:map_name()
      local code, err = run(writer(name, ending), shared)
      assert.equal(expected, code, err)
      local stored = 0
      for _ in pairs(shared:values(shared:started(), name)) do stored = stored + 1 end
      assert.equal(1000, stored, err)
    end)
  end
end)

describe("a script that ends by itself", function()
  it("says what it leaves without an acknowledgement, and ends with 1", function()
    local code, err = run [[
      local client = require "wingman".client { server = "ws://127.0.0.1:1" }
      for i = 1, 3 do assert(client:map "m":set("k" .. i, i)) end]]
    assert.equal(1, code)
    assert.truthy(err:find("3 writes were not acknowledged", 1, true), err)
  end)

  it("ends with 1 when an error was heard by nobody, in a task or in a timer, whatever it returns", function()
    for _, text in ipairs {
      [[wingman.spawn(function() error "boom" end) wingman.run(function() wingman.sleep(0) end)]],
      [[wingman.spawn(function() error "boom" end) return wingman.run(function() wingman.sleep(0) return 0 end)]],
      [[require "wingman.loop".timer(0, function() error "boom" end) wingman.sleep(0.001)]],
    } do
      local code, err = run("local wingman = require 'wingman' " .. text)
      assert.equal(1, code, text .. err)
      assert.truthy(err:find("error in a task: stdin:1: boom", 1, true), err)
    end
  end)

  it("ends with 1 when an error was heard by nobody in a thread of a load test", function()
    local path = os.tmpname()
    files.write(path, [[
      local wingman, load = require "wingman", require "wingman.load"
      return load.test { cluster = "sim://1", scenarios = { main = { executor = "shared-iterations", iterations = 2, vus = 2,
        exec = function(vu) wingman.spawn(function() error "boom" end) vu:sleep(0.001) end } } }]])
    for _, workers in ipairs { "1", "2" } do
      local child = assert(process.spawn { file = process.wingman_path(), args = { "run", "--workers", workers, path }, stderr = true })
      local out, err = child:read_all(PATIENCE), child:read_all(PATIENCE, "stderr")
      assert.equal(1, (child:wait(PATIENCE)), out .. err)
      child:close()
    end
    os.remove(path)
  end)

  it("says which tasks did not run when it never turned the loop, and ends with 1", function()
    local code, err = run [[
      local wingman = require "wingman"
      wingman.spawn(function() print "never" end)]]
    assert.equal(1, code)
    assert.truthy(err:find("wingman: the task at stdin:2 did not run", 1, true), err)
    assert.equal(0, (run [[local wingman = require "wingman" wingman.spawn(print) wingman.run(function() end)]]))
  end)

  it("ends with 0 when somebody has heard of the error", function()
    for _, text in ipairs {
      [[wingman.run(function() wingman.spawn(function() error "boom" end):wait() end)]],
      [[require "wingman.loop".on_error(print) wingman.spawn(function() error "boom" end) wingman.sleep(0.001)]],
    } do
      local code, err = run("local wingman = require 'wingman' " .. text)
      assert.equal(0, code, text .. err)
    end
  end)

  it("has failed when it returns what failed calls return", function()
    for text, message in pairs {
      ["return false"] = "- returned false", ["return nil, 'why not'"] = "- returned an error: why not",
      ["return false, 'why not'"] = "- returned an error: why not",
    } do
      local code, err = run(text)
      assert.equal(1, code, text)
      assert.truthy(err:find(message, 1, true), err)
    end
    for _, text in ipairs { "return true", "return nil", "return 'done'" } do assert.same({ 0, "" }, { run(text) }, text) end
  end)

  it("says that a number is no exit code", function()
    local code, err = run "return 256"
    assert.equal(1, code)
    assert.truthy(err:find("the script returned 256, and exit codes are 0 to 255", 1, true), err)
  end)
end)
