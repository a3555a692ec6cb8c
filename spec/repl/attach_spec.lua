--- `wingman repl --attach`: a prompt inside a program that runs.
local cjson = require "cjson"
local eventually = require "spec.support.eventually"
local process = require "wingman.loop.process"
local stream = require "wingman.loop.stream"
local terminal = require "spec.support.terminal"

--- Seconds for what takes milliseconds on a machine that has time.
local PATIENCE = 60

-- A program that counts at a rate which can be changed, and lets prompts attach.
local PROGRAM = [[
io.stdout:setvbuf "line"
local wingman = require "wingman"
rate, counted, done = 100, 0, false
wingman.run(function()
  local client = wingman.client { cluster = "sim://2", log_to = function() end }
  assert(client:start())
  local players = client:map "players"
  local server = assert(require("wingman.repl.server").listen(arg[1], { client = client, secret = 42 }, { chunk_limit = math.huge }))
  print "ready"
  while not done do
    wingman.sleep(1 / rate)
    counted = counted + 1
    players:set("player-" .. counted % 10, { n = counted })
  end
  server:close()
  client:close()
  print "done"
end)]]

describe("wingman repl --attach", function()
  local path, program
  before_each(function()
    path = os.tmpname()
    os.remove(path)
    program = assert(process.spawn { file = process.wingman_path(), args = { "run", "-", path }, stdin = true })
    program:write(PROGRAM)
    program:close_stdin()
    assert.equal("ready", program:read_line(PATIENCE))
  end)
  after_each(function()
    program:kill "SIGKILL"
    program:wait(PATIENCE)
    program:close()
    os.remove(path)
  end)

  -- Code in the program, from a pipe: exit code, output, errors.
  local function attached(...)
    local args = { "repl", "--attach", path }
    for _, code in ipairs { ... } do
      if code ~= "--json" then args[#args + 1] = "-e" end
      args[#args + 1] = code
    end
    local child = assert(process.spawn { file = process.wingman_path(), args = args, stderr = true })
    local out, err = child:read_all(PATIENCE), child:read_all(PATIENCE, "stderr")
    local code = child:wait(PATIENCE)
    child:close()
    return code, out, err
  end

  it("looks at a program and changes it while it runs", function()
    local code, out = attached("rate", "secret", ".nodes", "client:map 'players'.name")
    assert.equal(0, code)
    assert.truthy(out:find("^100\n42\nnode +state.*node%-2 +ready.*\n\"players\"\n$"), out)
    assert.same({ 0, "before 100\n", "" }, { attached "print('before ' .. rate) rate = 1000" })
    assert.same({ 0, "1000\n", "" }, { attached "rate" })
    code = attached "client.provider.routing = nil .. 'x'"
    assert.equal(1, code) -- and the program is not hurt
    for _, line in ipairs { ".foo", ".route", "client:map(nil)" } do
      local _, printed, err = attached(line)
      assert.truthy((printed .. err):find "^[^\n]+\n$", line .. ": " .. printed .. err)
    end
    local _, first = attached "counted"
    eventually("it goes on counting from " .. first, function()
      local _, later = attached "counted"
      return tonumber(later) > tonumber(first), later
    end)
    assert.same({ 0, '{"rate":1000}\n9007199254740993\n', "" }, { attached("--json", "return { rate = rate }, 9007199254740993LL") })
    attached "done = true"
    assert.equal("done", program:read_line(PATIENCE))
    assert.equal(0, (program:wait(PATIENCE)))
    local gone, _, err = attached "1"
    assert.equal(1, gone)
    assert.truthy(err:find(path, 1, true))
  end)

  it("changes a policy, and hears the log from a level on", function()
    local code, out = attached(".policy routing function() return nil end", ".route player-1", ".policy routing direct", ".route player-1")
    assert.equal(0, code)
    assert.truthy(out:find("goes to +nobody now.*goes to +node%-%d at"), out)
    code, out = attached(".log info", "client:cluster():kill 'node-1'",
      "while #client:connected_nodes() == 2 do sleep(0.01) end sleep(0) sleep(0)", ".log off")
    assert.equal(0, code)
    assert.truthy(out:find("circuit_", 1, true) or out:find("lost", 1, true), out)
    assert.equal(1, (attached ".policy routing nonsense"))
    assert.equal(1, (attached ".log loudly"))
  end)

  it("is for its owner alone", function()
    local stat = assert(io.popen("stat -c '%a %F' " .. path))
    assert.equal("600 socket", stat:read "*l")
    stat:close()
  end)

  it("ends a conversation that it does not understand, and goes on", function()
    for _, line in ipairs { "GET / HTTP/1.1", "{}", '{"op":"run","text":"done = true"}', '{"op":"hello"}\n{"op":"run"}',
      '{"op":"hello","width":"wide"}', '{"op":"hello","height":{}}', '{"op":"more"}', '{"op":"hello"}\n{"op":"complete","text":"x"}', "[" } do
      local connection = assert(stream.connect { path = path })
      connection:write(line .. "\n")
      local text, err
      repeat text, err = connection:read(PATIENCE) until not text
      assert.equal("closed", err, line)
      connection:close()
    end
    assert.same({ 0, "false\n", "" }, { attached "done" })
  end)

  -- A conversation without a prompt: sends orders, and awaits an answer.
  local function converse_with(hello, ...)
    local connection = assert(stream.connect { path = path })
    local function send(...)
      for _, message in ipairs { ... } do connection:write(cjson.encode(message) .. "\n") end
    end
    local function await(op)
      local said = {}
      while true do
        local line, err = connection:read_line(PATIENCE)
        if not line then error(("no '%s' came (%s), but %s"):format(op, err, table.concat(said, " ")), 2) end
        local message = cjson.decode(line)
        said[#said + 1] = line
        if message.op == op then return message, table.concat(said, " ") end
      end
    end
    hello.op = "hello"
    send(hello, ...)
    return connection, send, await
  end
  local function converse(...) return converse_with({}, ...) end

  it("ends a chunk that computes, when it is told to, and the program goes on", function()
    local _, before = attached "counted"
    local connection, send, await = converse { op = "run", text = "print 'begun' while true do pcall(function() while true do end end) end" }
    await "out" -- what it has printed: from here on it computes
    send { op = "interrupt" }
    local finished, said = await "finished"
    assert.is_false(finished.ok)
    assert.truthy(said:find("interrupted", 1, true), said)
    send { op = "run", text = "return counted" }
    assert.is_true((await "finished").ok)
    eventually("it goes on counting from " .. before, function()
      local _, later = attached "counted"
      return tonumber(later) > tonumber(before), later
    end)
    connection:close()
  end)

  it("has pages for a prompt that says how high its screen is", function()
    local ROWS = "local all = require('wingman.client.query.rows').of {} for i = 1, 30 do all[i] = { key = 'k' .. i, value = i } end return all"
    local connection, _, await = converse { op = "run", text = ROWS }
    local finished, said = await "finished"
    assert.is_nil(finished.more)
    assert.truthy(said:find("k30", 1, true), said)
    connection:close()
    local send
    connection, send, await = converse_with({ height = 23 }, { op = "run", text = ROWS })
    finished, said = await "finished"
    assert.equal("-- 20 of 30; Enter: more, q: end -- ", finished.more)
    assert.truthy(said:find("k20", 1, true) and not said:find("k21", 1, true), said)
    send { op = "more" }
    finished, said = await "finished"
    assert.is_nil(finished.more)
    assert.truthy(said:find("k21", 1, true) and said:find("k30", 1, true), said)
    send { op = "more" } -- there is none
    assert.is_true((await "finished").ok)
    connection:close()
  end)

  it("ends a chunk that computes and whose prompt has gone", function()
    local connection, _, await = converse { op = "run", text = "print 'begun' while true do end" }
    await "out"
    connection:close()
    assert.same({ 0, "42\n", "" }, { attached "secret" })
  end)

  it("ends a chunk that computes for too long, by the server's clock", function()
    attached "clock = 0 function advance() clock = clock + 1 return clock end"
    local other = os.tmpname()
    os.remove(other)
    attached(("other = require('wingman.repl.server').listen(%q, { secret = 43 }, { chunk_limit = '1m', now = advance })"):format(other))
    path, other = other, path
    local code, out, err = attached "local n = 0 while true do n = n + 1 end"
    assert.equal(1, code)
    assert.truthy((out .. err):find("prompt:1: ended: it computed for 60 s without waiting", 1, true), out .. err)
    assert.same({ 0, "43\n", "" }, { attached "secret" })
    assert.same({ 0, "true\n", "" }, { attached "for i = 1, 100 do sleep(0) end return clock > 100" })
    path = other
    attached "other:close()"
  end)

  it("has several prompts at once, and ends what one leaves behind", function()
    -- Who listens to the client, as a prompt sees it that listens itself.
    local listeners = "local n = 0 for _, list in pairs(client.events.listeners) do n = n + #list end return n"
    local _, before = attached(listeners)
    local connection = assert(stream.connect { path = path })
    connection:write '{"op":"hello"}\n{"op":"run","text":"while true do left = (left or 0) + 1 sleep(0.01) end"}\n'
    eventually("the first prompt's chunk runs", function()
      local _, out = attached "left"
      return tonumber(out), out
    end)
    connection:close()
    eventually("nothing of the first prompt listens, " .. before, function()
      local _, after = attached(listeners)
      return after == before, after
    end)
    -- It would have counted ten times in the time of that sleep.
    assert.same({ 0, "true\n", "" }, { attached "local before = left sleep(0.1) return left == before" })
  end)

  it("is a prompt like any other, at a terminal", function()
    if not terminal.is_there() then return pending "tmux is not installed" end
    local t = terminal.open { "--attach", path }
    t:await "attached to process %d+"
    t:await_prompt()
    t:enter "rate + 900"
    t:await "\n1000\nwingman>$"
    t:enter "for i = 1, 2 do"
    t:await "%.%.$"
    t:enter "print(i) end"
    t:await "\n1\n2\nwingman>$"
    t:type "client:map 'pl"
    t:press "Tab"
    t:await "client:map 'players'$"
    t:press "C-c"
    t:enter "print('beg' .. 'un') sleep(1000)"
    t:await "\nbegun\n?"
    t:press "C-c"
    t:await "interrupted\n.*wingman>$"
    t:enter "all = require('wingman.client.query.rows').of {} for i = 1, 90 do all[i] = { key = 'k' .. i, value = i } end return all"
    t:await "\nk27 +27\n%-%- 27 of 90; Enter: more, q: end %-%-$"
    t:press "Enter"
    t:await "\nk54 +54\n%-%- 54 of 90; Enter: more, q: end %-%-$"
    t:press "C-c"
    t:await_prompt()
    t:press "Enter" -- no page comes
    t:await "wingman> *\nwingman>$"
    t:type "half a li"
    attached "client:cluster():kill 'node-2'"
    t:await "node%-2 lost: [^\n]*\n.*wingman> half a li$"
    t:press("C-a", "C-k")
    attached "done = true"
    t:await "ended the conversation\ncode 1\nicanon echo"
    t:close()
    assert.equal("done", program:read_line(PATIENCE))
  end)
end)
