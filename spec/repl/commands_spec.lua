--- The commands of the prompt, and help.
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local session_module = require "wingman.repl.session"
local help = require "wingman.repl.help"
local wingman = require "wingman"

--- Seconds for what takes milliseconds on a machine that has time.
local PATIENCE = eventually.PATIENCE

describe("commands", function()
  local client, session, out
  setup(function()
    client = wingman.client { cluster = "sim://2", log_to = function() end }
    assert(client:start())
    local map = client:map "players"
    for i = 1, 20 do map:set("player-" .. i, { x = i }) end
    assert(client:drain(PATIENCE))
  end)
  teardown(function() client:close() end)
  before_each(function()
    out = {}
    session = session_module.new {
      write = function(text) out[#out + 1] = text end,
      environment = setmetatable({ client = client }, { __index = _G }),
      width = function() return 90 end,
    }
    session.client = client
  end)
  after_each(function() session:close() end)

  local function run(line)
    out = {}
    local ok = session:run(line)
    return table.concat(out), ok
  end

  it("show errors without what a terminal would obey", function()
    local text, ok = run "error('a\\27[2J\\nb\\155')"
    assert.is_false(ok)
    assert.truthy(text:find("a\\027[2J\nb\\155", 1, true), text)
  end)

  it("show the cluster", function()
    assert.truthy(run(".nodes"):find("node%-1 +ready"))
    assert.truthy(run(".map"):find("0  [AB]+\n"))
    assert.truthy(run(".route player-3"):find("goes to +node%-%d at ws://"))
    assert.truthy(run('.route "player-3"'):find("is here in +players"))
    assert.truthy(run(".stats"):find("acknowledged +20\n"))
    assert.truthy(run(".records players player-1 copy"):find("player%-1 +%d%d%d%d%-%d%d%-%d%d .* this client +{ x = 1 }"))
  end)

  it("show what the owner of a key has", function()
    local text = run ".read players player-1"
    assert.truthy(text:find("key +player%-1\nread from +node%-%d, the owner\nwritten at +%d%d%d%d%-%d%d%-%d%d .*, counter %d+, by node%-%d\n{ x = 1 }\n"), text)
    text = run ".read players 'nobody'"
    assert.truthy(text:find("key +nobody\nowner +node%-%d, which has no value of this key\n"), text)
    local ok
    text, ok = run ".read players"
    assert.is_false(ok)
    assert.truthy(text:find("usage: .read MAP KEY", 1, true), text)
  end)

  it("show the writes that were rejected, send them again and forget them", function()
    local simple = wingman.client { cluster = "sim://1", log_to = function() end }
    for i = 1, 3 do assert(simple:map("bad-name"):set("k" .. i, { x = "\27[31m" })) end
    assert(simple:start())
    assert.equal(3, select(2, simple:drain(PATIENCE)).rejected)
    session.client = simple
    local text = run ".rejected"
    assert.truthy(text:find("write +map +key +rejected by +reason"), text)
    assert.truthy(text:find("2 +bad%-name +k2 +%- +a v2 server with disk storage discards"), text)
    assert.is_nil(text:find "\27%[31m")
    local ok
    text, ok = run ".rejected resend 2"
    assert.is_false(ok)
    assert.truthy(text:find("the write 2 cannot be sent again", 1, true), text)
    assert.equal("1 dropped\n", (run ".rejected drop 2"))
    assert.equal("2 dropped\n", (run ".rejected drop all"))
    assert.is_false(select(2, run ".rejected drop"))
    assert.is_false(select(2, run ".rejected send 1"))
    simple:close()
  end)

  it("fit into the width of the terminal", function()
    for _, line in ipairs { ".map", ".records players" } do
      for row in run(line):gmatch "[^\n]+" do
        assert.is_true(require("wingman.base.escape").width(row) <= 90, row)
      end
    end
  end)

  it("show a list that is longer than a screen in pages, where there is one", function()
    local map = client:map "long"
    for i = 1, 60 do map:set(("k%02d"):format(i), { n = i }) end
    assert(client:drain(PATIENCE))
    local QUERY = "client:query('long', { sort = 'n' })"
    local function keys(text)
      local found = {}
      for key in text:gmatch "%f[^\n%z](k%d%d) " do found[#found + 1] = key end
      return #found, found[1], found[#found]
    end
    local function more()
      out = {}
      local ok
      session:more(function(was_ok) ok = was_ok end)
      eventually("the page is shown", function() return ok end)
      return table.concat(out)
    end
    -- Without a screen it is cut.
    local text = run(QUERY)
    assert.same({ 50, "k01", "k50" }, { keys(text) })
    assert.truthy(text:find("\n10 more\n$"), text)
    assert.is_nil(session:more_prompt())
    session.page_rows = function() return 25 end
    text = run(QUERY)
    assert.same({ 25, "k01", "k25" }, { keys(text) })
    assert.equal("-- 25 of 60; Enter: more, q: end -- ", session:more_prompt())
    text = more()
    assert.truthy(text:find "^key  +n\n")
    assert.same({ 25, "k26", "k50" }, { keys(text) })
    assert.same({ 10, "k51", "k60" }, { keys(more()) })
    assert.is_nil(session:more_prompt())
    text = run ".records long"
    assert.truthy(text:find "^from 2 nodes, read now\nkey ")
    assert.same({ 25, "k01", "k25" }, { keys(text) })
    text = more()
    assert.truthy(text:find "^key ")
    assert.same({ 25, "k26", "k50" }, { keys(text) })
    session:interrupt()
    assert.is_nil(session:more_prompt())
    run(QUERY)
    assert.truthy(session:more_prompt())
    assert.equal("2\n", (run "1 + 1"))
    assert.is_nil(session:more_prompt())
    run "return client:query('long', { limit = 25 })"
    assert.is_nil(session:more_prompt())
  end)

  it("say how they are called", function()
    local text, ok = run ".route"
    assert.is_false(ok)
    assert.truthy(text:find(".route KEY", 1, true))
    text, ok = run ".nonsense"
    assert.is_false(ok)
    assert.truthy(text:find(".help", 1, true))
    text, ok = run ".trace maybe"
    assert.is_false(ok)
    assert.truthy(text:find("on|full|off", 1, true))
    session.client = nil
    text, ok = run ".nodes"
    assert.is_false(ok)
    assert.truthy(text:find("there is no client", 1, true))
  end)

  it("are not taken for Lua, nor Lua for them", function()
    assert.equal("0.5\n", (run ".5"))
    assert.is_nil((session:run "x = {"))
    assert.is_nil((session:run ".5,"))
    assert.is_true(session:run "}")
    assert.same({ 0.5 }, session.environment.x)
  end)

  it("trace and watch until they are told to stop", function()
    run ".trace on"
    out = {}
    client:map("players"):set("player-1", { x = 2 })
    assert(client:drain(PATIENCE))
    local text = table.concat(out)
    assert.truthy(text:find("-> node%-%d OP_BATCH %d+ bytes "), text)
    assert.truthy(text:find("<- node%-%d OP_ACK "), text)
    for row in text:gmatch "[^\n]+" do assert.is_true(#row <= 92, row) end
    run ".trace full"
    out = {}
    client:map("players"):set("player-1", { x = 2 })
    assert(client:drain(PATIENCE))
    assert.truthy(table.concat(out):find("mapName *= \"players\""))
    run ".trace off"
    out = {}
    client:map("players"):set("player-1", { x = 3 })
    assert(client:drain(PATIENCE))
    assert.equal("", table.concat(out))

    run ".watch players"
    local other = wingman.client { cluster = { seeds = client:cluster().urls }, auth = { token = client:cluster().token } }
    assert(other:start())
    out = {}
    eventually("the watch tells what another client writes", function() -- again and again: it may not watch yet
      other:map("players"):set("new\27one", { "\27[31m" })
      return #out > 0
    end)
    assert.truthy(table.concat(out):find('players new\\027one = { "\\027[31m" }', 1, true), table.concat(out))
    assert(other:drain(PATIENCE))
    run ".watch off"
    other:close()
  end)

  it("show the rows of a live query whenever they change, and end it with its replica", function()
    local map = client:map "scores"
    for i = 1, 30 do assert(map:set("p" .. i, { score = i, team = i % 2 == 0 and "red" or "blue" })) end
    local function await(pattern)
      eventually(pattern .. " is shown", function() return table.concat(out):find(pattern), table.concat(out) end)
    end
    run ".live scores { sort = 'score desc', limit = 2 }"
    await "scores: 2 of 30 rows\nkey +score +team *\np30 +30 +red *\np29 +29 +blue *\n"
    out = {}
    map:set("p1", { score = 50, team = "red" })
    await "\np1 +50 +red *\np30 +30 +red *\n"
    run ".live off"
    run ".live \"scores\" team = 'blue', score = { gte = 20 }"
    await "scores: 5 of 5 rows\n"
    run ".live off"
    assert.is_nil(map.copy)
    out = {}
    map:set("p2", { score = 21, team = "blue" })
    assert(client:drain(PATIENCE))
    assert.equal("", table.concat(out))
  end)

  it("take the time, once and over and over", function()
    assert.truthy(run(".time 1 + 1"):find("^took [%d.]+ %a+\n2\n"))
    assert.truthy(run(".bench 1 + 1"):find("calls a second", 1, true))
  end)

  it("save what was typed, and load it", function()
    local path = os.tmpname()
    run "answer = 40"
    run "answer = answer +"
    run "2"
    assert.truthy(run(".save " .. path):find("2 chunks", 1, true))
    session.environment.answer = nil
    run(".load " .. path)
    assert.equal(42, session.environment.answer)
    os.remove(path)
    local _, ok = run(".load " .. path)
    assert.is_false(ok)
  end)

  it("leave the cluster's orders in order when one is interrupted", function()
    local ended
    session:submit("client:cluster():command 'stats'", function(ok) ended = ok end)
    loop.spawn(function() session:interrupt() end)
    eventually("the chunk ends", function() return ended ~= nil end)
    assert.is_false(ended)
    local counts = assert(loop.spawn(function() return client:cluster():counts "players" end):wait(PATIENCE))
    assert.is_true(counts["node-1"] + counts["node-2"] >= 20)
  end)

  it("say a mistake in one line, without Wingman's own frames", function()
    for _, line in ipairs {
      ".foo", ".route", ".records", ".log foo", ".rejected resend 5", ".rejected send 5", ".sim kill", ".sim kll 1", ".sim kill 9",
      ".trace loud", ".watch", ".live", ".live players n = { gtee = 1 }", ".live players 5", ".live players n =", ".policy routing fastest", ".policy rooting direct", ".replicate", ".replicate players soon", ".diff", ".records players p somewhere", ".load /no/such/file", ".save /no/such/folder/file",
      ".whatif /no/such/file", ".time", ".map /no/such/folder/file", "client:map(nil)", "client:query('players', { limt = 1 })",
      "client:wait(12345)", "require('wingman').spawn 'x'", "client:drain 'soon'",
    } do
      local text, ok = run(line)
      assert.is_false(ok, line .. " is no mistake: " .. text)
      assert.is_nil(text:find("lua/wingman/", 1, true), line .. ": " .. text)
      assert.is_nil(text:find "\n.", line .. ": " .. text)
    end
    session.client = nil
    assert.equal('there is no client: connect("sim://3") makes one\n', (run ".nodes"))
  end)

  it("keep going with the other chunk when one is interrupted", function()
    local ended
    session:submit("sleep_forever = true while true do require('wingman.loop').sleep(10) end", function(ok) ended = ok end)
    eventually("the chunk runs", function() return session.environment.sleep_forever end)
    assert.is_true(session:is_running())
    session:interrupt()
    eventually("the chunk ends with an error", function() return ended == false, ended end)
    assert.equal("interrupted\n", out[#out])
    assert.equal("3\n", (run "1 + 2"))
  end)
end)

describe("help", function()
  local function plain(_, text) return text end

  it("comes from the doc comment", function()
    local text = help.about(wingman.client, plain)
    assert.truthy(text:find("M.new(given)", 1, true))
    assert.truthy(text:find("Makes a client, which connects in `start`.", 1, true))
    assert.truthy(text:find("given  wingman.client_options  see wingman.client.options.rules", 1, true))
  end)

  it("lists what an object can do", function()
    local client = wingman.client { cluster = { seeds = { "ws://127.0.0.1:1" } }, log_to = function() end }
    local text = help.about(client, plain)
    assert.truthy(text:find(":drain%(timeout%) +%u"), text)
    assert.truthy(text:find(":query%(name, query%) +Reads a map from every connected node"), text)
    assert.is_nil(text:find(":drain_events", 1, true), "a part of the loop is listed")
    assert.is_nil(text:find(":known_map", 1, true), "what is internal is listed")
    client:close()
  end)

  it("finds the comment of a function that its table's file assigns, and all lines of a parameter", function()
    local cluster = assert(require("wingman.sim").start { nodes = 1 })
    local text = help.about(cluster, plain)
    cluster:stop()
    assert.truthy(text:find(":kill%(id%) +Kills a node"), text)
    local unconnected = wingman.client { server = "ws://127.0.0.1:1" }
    text = help.about(unconnected.query, plain)
    unconnected:close()
    assert.truthy(text:find("\n  query  wingman.query_options|nil[^\n]+default: everything\n"), text)
  end)

  it("says so where there is none", function()
    assert.truthy(help.about(print, plain):find("no doc comment", 1, true))
    assert.truthy(help.about(5, plain):find("number", 1, true))
    assert.truthy(help.about({}, plain):find("no documented functions", 1, true))
  end)
end)
