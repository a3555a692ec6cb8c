--- `wingman repl` without a terminal: pipes, -e, exit codes.
local cjson = require "cjson"
local process = require "wingman.loop.process"

--- Seconds for what takes milliseconds on a machine that has time.
local PATIENCE = 60

-- Runs the executable to its end: exit code, output, errors.
local function repl(args, input)
  table.insert(args, 1, "repl")
  local child = assert(process.spawn { file = process.wingman_path(), args = args, stdin = true, stderr = true })
  if input then assert(child:write(input)) end
  child:close_stdin()
  local out = child:read_all(PATIENCE)
  local err = child:read_all(PATIENCE, "stderr")
  local code, signal = child:wait(PATIENCE)
  child:close()
  return signal or code, out, err
end

describe("wingman repl in a pipe", function()
  it("runs what comes, chunk by chunk", function()
    local code, out, err = repl({ "-" }, "x = {\n a = 1,\n}\nx\nfor i = 1, 2 do\nprint(i)\nend\n_.a + 1\n\n-- done\n_")
    assert.same({ 0, "{ a = 1 }\n1\n2\n2\n2\n", "" }, { code, out, err })
  end)

  it("ends with 1 at the first error, which goes to standard error", function()
    local code, out, err = repl({ "-" }, 'print "one"\nerror "on purpose"\nprint "two"\n')
    assert.same({ 1, "one\n" }, { code, out })
    assert.truthy(err:find("on purpose", 1, true))
    code, out, err = repl({ "-" }, "1\nthis is no Lua\n2\n")
    assert.same({ 1, "1\n" }, { code, out })
    assert.truthy(err:find("near 'is'", 1, true))
    code, out, err = repl({ "-" }, "if true then\n")
    assert.same({ 1, "" }, { code, out })
    assert.truthy(err:find("<eof>", 1, true))
    code, out, err = repl({}, "nil, setmetatable({ code = 'X', message = 'words' }, { __tostring = function() return 'X: words' end })\n")
    assert.same({ 1, "", "X: words\n" }, { code, out, err })
  end)

  it("shows where an error in a function came from, and nothing of the prompt's own", function()
    local _, _, err = repl({ "-" }, "function inner() local t = nil; return t.x end\nfunction outer() return (inner()) end\nouter()\n")
    assert.truthy(err:find("prompt:1: attempt to index local 't'", 1, true))
    assert.truthy(err:find("in function 'inner'", 1, true))
    assert.is_nil(err:find("chunk.lua", 1, true))
  end)

  it("shows of a user's mistake the user's frames alone", function()
    for _, code in ipairs { ".foo", ".route", ".nodes" } do
      local _, _, err = repl { "-e", code }
      assert.truthy(err:find "^[^\n]+\n$", code .. ": " .. err)
    end
    local _, _, err = repl { "sim://1", "-e", "function mine() client:map(nil) return 1 end function yours() mine() return 2 end", "-e", "yours()" }
    assert.truthy(err:find("prompt:1: client:map: a name", 1, true), err)
    assert.truthy(err:find("in function 'mine'", 1, true), err)
    assert.truthy(err:find("in function <prompt:1>", 1, true), err)
    for _, own in ipairs { "lua/wingman/", "[C]" } do assert.is_nil(err:find(own, 1, true), err) end
  end)

  it("passes on the code of os.exit", function()
    assert.equal(7, (repl({ "-" }, "os.exit(7)\n")))
    assert.equal(3, (repl { "-e", "os.exit(3)" }))
  end)

  it("runs -e, more than one of them", function()
    local code, out = repl { "-e", "x = 20", "-e", "x + 1", "-e", '"a", nil' }
    assert.same({ 0, "21\n\"a\"\n" }, { code, out })
    assert.equal(1, (repl { "-e", "error {}" }))
    assert.equal(1, (repl { "-e", "if" }))
  end)

  it("has a client, connected before the first chunk", function()
    local code, out, err = repl({ "sim://2", "-" }, [[
m = client:map "players"
m:set("ann", { x = 12 }) > 0
client:drain(60)
client:query "players"
sleep(0.01)
cluster:kill "node-2"
]])
    assert.same({ 0, "" }, { code, err })
    assert.equal("true\ntrue\nkey   x\nann  12\ntrue\n", out)
  end)

  it("ends with 1 when the cluster cannot be reached, and with 2 when it is called wrongly", function()
    local code, out, err = repl { "-e", "1", "ws://127.0.0.1:1" }
    assert.same({ 1, "" }, { code, out })
    assert.truthy(err:find("ws://127.0.0.1:1", 1, true), err)
    assert.equal(2, (repl { "--colour" }))
    assert.equal(2, (repl { "-e" }))
    assert.equal(2, (repl { "ws://a:1", "ws://b:1" }))
    assert.equal(2, (repl { "--attach", "/x", "ws://b:1" }))
    assert.equal(2, (repl { "--token-file", "/no/such/file", "ws://b:1" }))
  end)

  it("gives values as JSON, one a line", function()
    local code, out = repl { "--json", "-e", '{ a = { 1, 2 } }, "x"' }
    local lines = {}
    for line in out:gmatch "[^\n]+" do lines[#lines + 1] = cjson.decode(line) end
    assert.equal(0, code)
    assert.same({ { a = { 1, 2 } }, "x" }, lines)
    code, out = repl({ "--json", "-" }, "1796043355185123\n2^53\n0.1+0.2\n9007199254740993LL\n{ print }\n")
    assert.equal(0, code)
    assert.equal('1796043355185123\n9007199254740992\n0.30000000000000004\n9007199254740993\n'
      .. '{"error":"no JSON form: a function has no JSON form"}\n', out)
  end)

  it("runs -i, and then what comes, or the -e that follow", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local function script(text)
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
    end
    script "fruit = 'pear' sleep(0.001) print 'from the script'"
    assert.same({ 0, 'from the script\n"pear"\n', "" }, { repl({ "-i", path }, "fruit\n") })
    assert.same({ 0, 'from the script\n"pears"\n', "" }, { repl({ "-i", path, "-e", "fruit .. 's'" }, "print 'not read'\n") })
    assert.same({ 0, '1\nfrom the script\n"pear"\n', "" }, { repl({ "-e", "1", "-i", path, "-" }, "fruit\n") })
    script "error 'on purpose'"
    local code, out, err = repl({ "-i", path }, "print 'not reached'\n")
    assert.same({ 1, "" }, { code, out })
    assert.truthy(err:find("on purpose", 1, true), err)
    script "this is no Lua"
    code, out, err = repl({ "-i", path }, "print 'not reached'\n")
    assert.same({ 1, "" }, { code, out })
    assert.truthy(err:find(path .. ":1:", 1, true), err)
    code, out, err = repl({ "-e", "print 'not reached'", "-i", "/no/such/script.lua" }, "")
    assert.same({ 2, "" }, { code, out })
    assert.truthy(err:find("-i: /no/such/script.lua: No such file", 1, true), err)
  end)

  it("ends at once, with 2, when standard input is closed or cannot be read", function()
    for _, input in ipairs { "<&-", "</" } do
      for _, args in ipairs { "repl -", "repl sim://1 -", "repl" } do
        local child = assert(process.spawn { file = "/bin/sh", stderr = true,
          args = { "-c", ('exec "$0" %s %s'):format(args, input), process.wingman_path() } })
        local err = child:read_all(PATIENCE, "stderr")
        local code = child:wait(PATIENCE)
        child:close()
        assert.equal(2, code, args .. " " .. input .. ": " .. err)
        assert.truthy(err:find("^wingman repl: %-: "), err)
      end
    end
  end)

  it("keeps the network running while it waits for input", function()
    local child = assert(process.spawn { file = process.wingman_path(), args = { "repl", "-" }, stdin = true })
    child:write "io.stdout:setvbuf 'line' wingman.spawn(function() sleep(0.05) print 'from a task' end)\n"
    assert.equal("from a task", child:read_line(PATIENCE))
    child:write "1 + 1\n"
    child:close_stdin()
    assert.equal("2", child:read_line(PATIENCE))
    assert.equal(0, (child:wait(PATIENCE)))
    child:close()
  end)
end)
