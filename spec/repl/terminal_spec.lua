--- The prompt in a real terminal: keys are typed into tmux, its screen is read.
local eventually = require "spec.support.eventually"
local process = require "wingman.loop.process"
local terminal = require "spec.support.terminal"

local function last_line(screen) return screen:match "[^\n]*$" end

local count = terminal.count

describe("wingman repl at a terminal", function()
  if not terminal.is_there() then
    it("needs tmux", function() pending "tmux is not installed" end)
    return
  end

  local t
  local function open(...) t = terminal.open(...) return t end

  -- A place where a task of the prompt waits for this process: what it calls, and what ends it.
  local gate_path
  local function gate()
    gate_path = os.tmpname()
    os.remove(gate_path)
    return ("while not io.open '%s' do sleep(0.005) end"):format(gate_path), function() assert(io.open(gate_path, "w")):close() end
  end
  after_each(function()
    if t then t:close() end
    if gate_path then os.remove(gate_path) end
    t, gate_path = nil, nil
  end)

  it("evaluates, goes on over lines while the parser wants more, and leaves with Ctrl-D", function()
    open {}
    t:await_prompt()
    t:enter "1 + 1"
    t:await "\n2\nwingman>$"
    t:enter "square = function(x)"
    t:await "%.%.$"
    t:enter "return x * x"
    t:enter "end"
    t:await_prompt()
    t:enter "square(_ + 7)"
    t:await "\n81\nwingman>$"
    t:press "C-d"
    t:await "code 0\nicanon echo$"
  end)

  it("runs a script and code first, with -i and -e, and then shows the prompt", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write "fruit = 'pear' sleep(0.1) print 'from the script' error 'on purpose'"
    file:close()
    open { "-e", "x = 1 +", "-e", "'from ' .. '-e'", "-i", path }
    local screen = t:await "on purpose\n.*wingman>$"
    assert.truthy(screen:find('\n"from %-e"\nfrom the script\n'), screen)
    t:enter "fruit"
    t:await '\n"pear"\nwingman>$'
    os.remove(path)
  end)

  it("writes no escape sequence where TERM is dumb", function()
    local child = assert(process.spawn { file = "script", stdin = true, env = { TERM = "dumb", WINGMAN_HISTORY = "" },
      args = { "-qec", "'" .. process.wingman_path() .. "' repl", "/dev/null" } })
    local seen = ""
    local function await(text)
      eventually(("'%s' is shown"):format(text), function()
        seen = seen .. (child:read(0.01) or "")
        return seen:find(text, 1, true), seen
      end)
    end
    await "wingman> "
    child:write "6 * 7\n"
    await "42"
    child:write "sleep(0.001) wingman.spawn(function() print 'from a task' end) sleep(0.001)\n"
    await "from a task\r\n"
    child:write "error 'on purpose'\n"
    await "on purpose\r\nwingman> "
    child:write "\4"
    child:close_stdin()
    seen = seen .. (child:read_all(60) or "")
    child:wait(60)
    child:close()
    assert.is_nil(seen:find("\27", 1, true), ("%q"):format(seen))
  end)

  it("shows what happens above the line, and leaves the line alone", function()
    open { "sim://3" }
    t:await "connected: 3 nodes"
    local wait, go_on = gate()
    t:enter(("wingman.spawn(function() %s for i = 1, 3 do sleep(0.01) print('tick ' .. i) end end)"):format(wait))
    t:await "running"
    t:type "1000 + 2"
    t:await "1000 %+ 2$"
    t:press "Left" -- the cursor is inside the line
    go_on()
    local screen = t:await "tick 3\nwingman> 1000 %+ 2$"
    assert.truthy(screen:find("tick 1\ntick 2\ntick 3\nwingman> 1000 + 2", 1, true))
    t:press "3"
    t:press "Enter"
    t:await "\n1032\nwingman>$"
    t:type "unfinished"
    t:press("C-a", "C-k")
    t:enter 'cluster:kill "node-2"'
    t:await "true\n"
    t:type "a line"
    t:await "node%-2 lost: [^\n]*\n"
    assert.equal("wingman> a line", last_line(t:await "a line$"))
  end)

  it("keeps a line of several rows whole while output comes", function()
    open({}, { width = 40 })
    t:await_prompt()
    local wait, go_on = gate()
    t:enter(("wingman.spawn(function() %s for i = 1, 20 do sleep(0.01) print('line ' .. i) end end)"):format(wait))
    t:await "running"
    t:type(("x"):rep(70) .. ("y"):rep(30))
    t:await(("y"):rep(30), true)
    go_on()
    t:await("line 20\nwingman> " .. ("x"):rep(70) .. ("y"):rep(30), true)
    local screen = t:screen()
    assert.equal(1, count(screen, ("x"):rep(70)))
    for i = 1, 20 do assert.equal(1, count(screen .. "\n", "\nline " .. i .. "\n"), "line " .. i) end
  end)

  it("ends the chunk that runs with Ctrl-C, and nothing else", function()
    open({ "sim://1" }, { height = 60 })
    t:await "connected: 1 node"
    for i, chunk in ipairs {
      "while true do end",
      "sleep(1000)",
      "local n = 0; for i = 1, 1e15 do n = n + i end",
      "coroutine.wrap(function() while true do end end)()",
      "client:map('m'):set('k', {}) while true do sleep(0.001) end",
      "io.read()",
    } do
      t:enter(("print('begun ' .. %d) %s"):format(i, chunk))
      t:await("\nbegun " .. i .. "\n?")
      t:press "C-c"
      t:await_times(i, "interrupted\n")
      t:await_prompt()
    end
    t:enter "#client:connected_nodes() + 4100"
    t:await "\n4101\n"
    -- The first one is caught, the second one is not.
    t:enter "while true do pcall(function() print('go' .. 'ing') while true do end end) print('cau' .. 'ght') end"
    t:await "\ngoing"
    t:press "C-c"
    t:await "\ncaught\ngoing"
    t:press "C-c"
    t:await_times(7, "interrupted\n")
    t:await_prompt()
    t:enter "'still ' .. 'here'"
    t:await '"still here"\nwingman>$'
  end)

  it("shows a long list in pages, and ends them with Ctrl-C, q, Ctrl-D or another line", function()
    open({ "sim://1" }, { height = 13 })
    t:await "connected: 1 node"
    t:enter "m = client:map 'm' for i = 10, 44 do m:set('k' .. i, i) end client:drain(60)"
    t:await "drain%(60%)\nwingman>$"
    t:enter "client:query 'm'"
    local screen = t:await "\nk19 +19\n%-%- 10 of 35; Enter: more, q: end %-%-$"
    assert.truthy(screen:find("\nkey +value\nk10 +10\n"), screen)
    t:press "Enter"
    t:await "\nkey +value\nk20 .*k29 +29\n%-%- 20 of 35; Enter: more, q: end %-%-$"
    t:enter "wingman.spawn(function() sleep(0.01) print 'a task' end)" -- is no answer
    t:await "a task\nwingman>$"
    for _, press in ipairs { { "C-c" }, { "q", "Enter" }, { "C-d" } } do
      t:enter ".records m"
      t:await "10 of 35; Enter: more, q: end %-%-$"
      t:press "Enter"
      t:await "20 of 35; Enter: more, q: end %-%-$"
      t:press(unpack(press))
      t:await_prompt()
    end
    t:enter ".records m"
    t:await "10 of 35[^\n]*$"
    for shown = 20, 30, 10 do
      t:press "Enter"
      t:await(shown .. " of 35[^\n]*$")
    end
    t:press "Enter"
    t:await "k44 [^\n]*\nwingman>$"
  end)

  it("drops the line, or the chunk that was begun, with Ctrl-C", function()
    open {}
    t:await_prompt()
    t:type "some words"
    t:await "words$"
    t:press "C-c"
    t:await "%^C\nwingman>$"
    t:enter "if true then"
    t:await "%.%.$"
    t:press "C-c"
    t:await_prompt()
    t:enter "'a' .. 'b'"
    t:await '"ab"\nwingman>$'
    t:enter "if true then"
    t:await "%.%.$"
    t:press "C-d"
    t:await_prompt()
  end)

  it("warns before Ctrl-C ends the program: compiled code does not hear it", function()
    open {}
    t:await_prompt()
    t:enter "loadstring 'local n = 0 while true do n = n + 1 end' ()"
    t:await("end' ()", true)
    -- Those that come before it is compiled end it, or are one signal with the next.
    eventually("it warns", function()
      t:press "C-c"
      local screen = t:screen()
      if screen:find "interrupted\nwingman>$" then t:enter "loadstring 'local n = 0 while true do n = n + 1 end' ()" end
      return screen:find("once more ends wingman", 1, true), screen
    end)
    eventually("it ends", function()
      t:press "C-c"
      local screen = t:screen()
      return screen:find("code", 1, true), screen
    end)
    t:await "code 130"
  end)

  it("gives the terminal back when a task does not let go, and at SIGTERM", function()
    open {}
    t:await_prompt()
    t:enter "wingman.spawn(function() while true do end end)"
    t:await("do end end)", true)
    eventually("it ends", function()
      t:press "C-c"
      local screen = t:screen()
      return screen:find("code", 1, true), screen
    end)
    t:await "code 130\n[%^C]*icanon echo"
    t:close()
    open {}
    t:await_prompt()
    t:enter "io.open('/proc/self/stat'):read('*n')"
    local pid = t:await("\n%d+\nwingman>$"):match "\n(%d+)\nwingman>$"
    os.execute("kill -TERM " .. pid)
    t:await "code 143\nicanon echo$"
  end)

  it("remembers over sessions, searches, and keeps tokens and its file to itself", function()
    local path = os.tmpname()
    os.remove(path)
    open({}, { history = path })
    t:await_prompt()
    t:enter "apple = 'red'"
    t:enter "banana = {"
    t:enter "'yellow' }"
    t:enter "cherry = 'dark'"
    t:enter "token = 'eyJhbGciOi.eyJzdWIiOi.c2ln'"
    t:enter " secret = 1"
    t:await "secret = 1\nwingman>$"
    t:press "C-d"
    t:await "code 0"
    t:close()
    local file = assert(io.open(path))
    assert.equal("apple = 'red'\nbanana = {\\n'yellow' }\ncherry = 'dark'\n", file:read "*a")
    file:close()
    local stat = assert(io.popen("stat -c %a " .. path))
    assert.equal("600", stat:read "*l")
    stat:close()

    open({}, { history = path })
    t:await_prompt()
    t:press "Up"
    t:await "wingman> cherry = 'dark'$"
    t:press "Up"
    t:await "wingman> banana = { *\n'yellow' }$"
    t:press "Enter"
    t:enter "banana[1]"
    t:await '"yellow"\nwingman>$'
    t:press "C-r"
    t:type "app"
    t:await "bck:app"
    t:press "Enter"
    t:enter "apple"
    t:await '"red"\nwingman>$'
    os.remove(path)
  end)

  it("goes on with the network while the history is searched", function()
    local path = os.tmpname()
    open({}, { history = path })
    t:await_prompt()
    local wait, go_on = gate()
    t:enter(("wingman.spawn(function() %s print('from a task') end)"):format(wait))
    t:await "running"
    t:press "C-r"
    t:type "spa"
    t:await "bck:spa"
    go_on()
    local screen = t:await "from a task\n"
    assert.truthy(screen:find("from a task\nwingman> wingman.spawn", 1, true), screen)
    t:await "bck:spa"
    os.remove(path)
  end)

  it("completes globals, fields, methods, and the names of maps, nodes and options with TAB", function()
    open { "sim://2" }
    t:await "connected: 2 nodes"
    local function completes(typed, expected)
      t:press("C-a", "C-k")
      t:type(typed)
      t:press "Tab"
      local ok, err = pcall(t.await, t, "wingman> " .. expected .. "\n?$")
      if not ok then error(("%s: %s"):format(typed, err), 2) end
    end
    t:enter "players = client:map 'players' ; players:set('player-7', { x = 1 })"
    t:await_prompt()
    completes("coro", "coroutine")
    completes("string.for", "string%.format")
    completes("client:routing_m", "client:routing_metrics")
    completes("client.opt", "client%.options")
    completes("client.options.heart", "client%.options%.heartbeat")
    completes('client:map "pl', 'client:map "players"')
    completes("client:query('pl", "client:query%('players'")
    completes('cluster:kill "node-', 'cluster:kill "node%-')
    completes('cluster:kill "node-2', 'cluster:kill "node%-2"')
    completes('players:get "pl', 'players:get "player%-7"')
    completes("wingman.client { conn", "wingman%.client { connect")
    completes("wingman.client { batch = { ling", "wingman%.client { batch = { linger")
    completes("wingman.client { routing = 'forw", "wingman%.client { routing = 'forward'")
    completes(".hel", "%.help")
    t:press("C-a", "C-k")
    t:type "client:ro"
    t:press("Tab", "Tab")
    local screen = t:await "router_stats +routing_metrics\nwingman> client:rout$"
    assert.is_nil(screen:find("error", 1, true))
  end)

  it("does not call what TAB passes", function()
    open {}
    t:await_prompt()
    t:enter "trap = setmetatable({}, { __index = function() error 'called' end, __tostring = function() error 'called' end })"
    t:await_prompt()
    t:type "trap.field.oth"
    t:press("Tab", "Tab")
    t:type "er"
    local screen = t:await "trap%.field%.other$"
    assert.is_nil(screen:find("called'\n", 1, true))
    assert.equal("wingman> trap.field.other", last_line(screen))
  end)

  it("takes a paste of 200 lines, typed or marked", function()
    local lines = { "sum = 0" }
    for i = 1, 199 do lines[i + 1] = ("sum = sum + %d -- žluť %d"):format(i, i) end
    open {}
    t:await_prompt()
    t:paste(table.concat(lines, "\n") .. "\n")
    t:await "žluť 199\nwingman>$"
    t:enter "sum"
    t:await "\n19900\nwingman>$"
    local screen = t:screen(true)
    for i = 1, 199 do assert.equal(1, count(screen, ("wingman> sum = sum + %d -- žluť %d\n"):format(i, i)), i) end

    lines[1] = "local total = 0"
    for i = 1, 199 do lines[i + 1] = ("total = total + %d -- 猫 %d"):format(i, i) end
    lines[201] = "print('total ' .. total)"
    t:paste(table.concat(lines, "\n") .. "\n", true)
    t:await "print%('total ' %.%. total%)$"
    t:press "Enter"
    t:await "\ntotal 19900\nwingman>$"
  end)

  it("draws the line anew when the terminal changes its size", function()
    open({}, { width = 100, height = 40 }) -- so that no row scrolls off at width 33, where no program can reach it
    t:await_prompt()
    t:enter "for i = 1, 10 do print(i) end"
    t:await "\n10\nwingman>$"
    local text = "answer = '" .. ("0123456789"):rep(12) .. "'"
    t:type(text)
    t:await(text, true)
    local function await_whole(width, ending)
      eventually(("the line is whole at width %d"):format(width), function()
        local screen = t:screen()
        return last_line(screen) == "wingman> " .. text .. ending and count(screen, "answer = ") == 1, screen
      end)
    end
    for _, width in ipairs { 60, 33, 80, 150, 100 } do
      t:resize(width, 40)
      t:await_size(width) -- tmux tells the program a moment after it has changed the screen
      t:press "C-a"
      t:await_column(9)
      t:press "C-e"
      t:await_column((9 + #text) % width)
      await_whole(width, "")
    end
    t:type "x"
    await_whole(100, "x")
    t:press "BSpace"
    await_whole(100, "")
    t:press "Enter"
    t:enter "#answer"
    t:await "\n120\nwingman>$"
  end)

  it("goes on after it was stopped", function()
    open {}
    t:await_prompt()
    t:enter "io.open('/proc/self/stat'):read('*n')"
    local pid = t:await("\n%d+\nwingman>$"):match "\n(%d+)\nwingman>$"
    t:type "20 +"
    t:await "20 %+$"
    os.execute("kill -STOP " .. pid)
    t:type " 3"
    os.execute("kill -CONT " .. pid)
    t:await "wingman> 20 %+ 3$"
    t:press "Enter"
    t:await "\n23\nwingman>$"
  end)

  it("lends the terminal to io.read and to other programs", function()
    open {}
    t:await_prompt()
    t:enter "'<' .. io.read() .. '>'"
    t:await_lent() -- what is typed before that is for the next prompt
    t:enter "seen as it is typed"
    t:await '\nseen as it is typed\n"<seen as it is typed>"\nwingman>$'
    t:enter "os.execute 'stty -a | grep -o -e \" icanon\" -e \" echo \" | tr -d \"\\\\n\"; echo'"
    t:await "\n icanon echo ?\n"
  end)
end)
