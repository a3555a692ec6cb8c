--- The executable: commands, exit codes, errors.
local cjson = require "cjson"
local eventually = require "spec.support.eventually"
local process = require "wingman.loop.process"

-- Runs the executable to its end: exit code, output, errors.
local function wingman(args, input, env)
  local child = assert(process.spawn { file = process.wingman_path(), args = args, stdin = true, stderr = true, env = env })
  if input then assert(child:write(input)) end
  child:close_stdin()
  local out = child:read_all(60)
  local err = child:read_all(60, "stderr")
  local code, signal = child:wait(60)
  child:close()
  return signal or code, out, err
end

local function script(text, ...) return wingman({ "run", "-", ... }, text) end

describe("the specs", function()
  it("test the module that was built with the executable that runs them", function()
    local executable, modules = nil, {}
    for line in io.lines "/proc/self/maps" do
      local path = line:match "(/%S+)$"
      if path then
        executable = executable or path:match "^(.*)/wingman$"
        local directory = path:match "^(.*)/lib/wingman/core%.so$"
        if directory then modules[directory] = true end
      end
    end
    if not executable then return pending "not run by wingman" end
    assert.same({ [executable] = true }, modules)
  end)
end)

describe("wingman", function()
  it("shows its commands, and which word is none", function()
    local code, out, err = wingman { "--help" }
    assert.equal(0, code)
    for _, command in ipairs { "run", "sim", "probe", "version" } do assert.truthy(out:find("\n  " .. command .. " ")) end
    assert.equal("", err)
    code, out, err = wingman { "rum" }
    assert.equal(2, code)
    assert.equal("", out)
    assert.truthy(err:find("'rum' is not a command", 1, true))
    assert.equal(2, (wingman {}))
  end)

  it("says its version", function()
    local code, out = wingman { "version" }
    assert.equal(0, code)
    assert.truthy(out:match "^wingman %d+%.%d+%.%d+\n$")
  end)

  it("has help for every command", function()
    for _, command in ipairs { "run", "sim", "probe", "relay", "keep-awake" } do
      local code, out = wingman { command, "--help" }
      assert.equal(0, code, command)
      assert.truthy(out:find("usage: wingman " .. command, 1, true) or out:find("wingman " .. command, 1, true), command)
    end
  end)
end)

describe("wingman run", function()
  it("gives the script its arguments, and finds the module", function()
    local code, out = script([[print(arg[0], arg[1], require "wingman" ~= nil, ...)]], "a", "b c")
    assert.equal(0, code)
    assert.equal("-\ta\ttrue\ta\tb c\n", out)
  end)

  it("ends with the number that the script returns", function()
    assert.equal(7, (script "return 7"))
    assert.equal(7, (script [[local w = require "wingman" return w.run(function() w.sleep(0.01) return 7 end)]]))
    assert.equal(0, (script "return nil"))
    assert.equal(3, (script "os.exit(3)"))
  end)

  it("reports an error with its place and exit code 1", function()
    local code, _, err = script "local function broken() error 'on purpose' end\nbroken()"
    assert.equal(1, code)
    assert.truthy(err:find("on purpose", 1, true))
    assert.truthy(err:find(":1:", 1, true))
    code, _, err = script [[local w = require "wingman" w.run(function() error { code = "X" } end)]]
    assert.equal(1, code)
    assert.not_equal("", err)
  end)

  it("tells a script that cannot be read, or is none, by exit code 2", function()
    local code, _, err = wingman { "run", "/no/such/script.lua" }
    assert.same({ 2, "wingman run: /no/such/script.lua: No such file or directory\n" }, { code, err })
    code, _, err = script "this is no Lua"
    assert.equal(2, code)
    assert.truthy(err:find("this is no Lua", 1, true) or err:find("'is'", 1, true))
    assert.equal(2, (wingman { "run" }))
  end)

  it("is found from any directory", function()
    local child = assert(process.spawn { file = process.wingman_path():match "^/" and process.wingman_path()
      or (os.getenv "PWD" .. "/" .. process.wingman_path()), args = { "run", "-" }, stdin = true, cwd = "/" })
    child:write [[print(require("wingman.core") ~= nil)]]
    child:close_stdin()
    assert.equal("true\n", child:read_all(60))
    child:close()
  end)

  it("ends with 130 when it is interrupted, its cluster with it", function()
    local child = assert(process.spawn { file = process.wingman_path(), args = { "run", "-" }, stdin = true, stderr = true })
    child:write [[
      local wingman = require "wingman"
      wingman.run(function()
        local client = wingman.client { cluster = "sim://1" }
        assert(client:start())
        print(client:cluster().process.pid)
        io.flush()
        wingman.sleep(60)
      end)]]
    child:close_stdin()
    local sim = assert(tonumber(child:read_line(60)))
    child:kill "SIGINT"
    assert.equal(130, (child:wait(60)))
    child:close()
    eventually("the simulated cluster ends with its script", function() return os.execute(("kill -0 %d 2>/dev/null"):format(sim)) ~= 0 end)
  end)
end)

describe("wingman probe", function()
  it("shows a table of the nodes", function()
    local code, out, err = wingman { "probe", "sim://2" }
    assert.equal(0, code, err)
    local lines = {}
    for line in out:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal(3, #lines)
    assert.truthy(lines[1]:find("family", 1, true))
    assert.truthy(lines[2]:find("v2 +node%-1 .*136 of 271 .*fnv1a"))
    assert.truthy(lines[3]:find("v2 +node%-2 .*135 of 271 .*fnv1a"))
  end)

  it("gives one JSON object per node", function()
    local code, out = wingman { "probe", "--json", "sim://2?dialect=0.11&hash=xxh64" }
    assert.equal(0, code)
    local nodes = {}
    for line in out:gmatch "[^\n]+" do nodes[#nodes + 1] = cjson.decode(line) end
    assert.equal(2, #nodes)
    assert.equal("node-2", nodes[2].node_id)
    assert.equal("0.11", nodes[2].dialect)
    assert.equal("xxh64", nodes[2].hash)
    assert.equal(271, nodes[2].partition_count)
    assert.is_true(nodes[2].map_version > 0)
    assert.is_true(nodes[2].rtt > 0)
  end)

  it("ends with 1 when a node does not answer, with 2 when it was not asked well", function()
    local code, _, err = wingman { "probe", "--timeout", "0.3", "ws://127.0.0.1:1" }
    assert.equal(1, code)
    assert.truthy(err:find("ws://127.0.0.1:1", 1, true))
    assert.equal(2, (wingman { "probe" }))
    assert.equal(2, (wingman { "probe", "--colour", "ws://x:1" }))
    code, _, err = wingman { "probe", "--token-file", "/no/such/file", "ws://127.0.0.1:1" }
    assert.equal(2, code)
    assert.truthy(err:find("/no/such/file", 1, true))
  end)
end)
