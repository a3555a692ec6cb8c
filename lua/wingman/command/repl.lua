--- `wingman repl`: an interactive prompt, also for pipes and single commands.
local arguments = require "wingman.command.repl_arguments"
local interrupt = require "wingman.client.interrupt"
local loop = require "wingman.loop"
local usage = require "wingman.options.usage"

local M = {}

--- How long a program may take to answer who attaches (seconds): it may be busy.
local ATTACH_TIMEOUT = 10

--- The globals that a prompt has beside Lua's own.
---@param session wingman.repl.session
local function fill(session)
  local help = require "wingman.repl.help"
  local wingman = require "wingman"
  local environment = session.environment
  environment.wingman = wingman
  environment.sleep = wingman.sleep
  environment.help = function(value) session.write(help.about(value, session.paint)) end
end

local function batch_session(options)
  local session_module = require "wingman.repl.session"
  return session_module.new {
    write = function(text) io.stdout:write(text) end,
    write_error = function(text)
      io.stdout:flush()
      io.stderr:write(text)
    end,
    json = options.json,
  }
end

-- What was asked for on the command line, and standard input where that is to be run, too.
-- The exit code.
local function run_batch_steps(session, options)
  local batch = require "wingman.repl.batch"
  local ok = batch.run_steps(session, options.steps)
  if not ok or (options.has_code and not options.stdin) then return ok and 0 or 1 end
  local unreadable
  ok, unreadable = batch.run_input(session)
  if not unreadable then return ok and 0 or 1 end
  io.stderr:write("wingman repl: ", unreadable, "\n")
  return 2
end

local function run_batch(options)
  local exit = os.exit
  os.exit = function(code) return exit(code, true) end -- an embedded cluster is shut down
  local connection = require "wingman.repl.connection"
  local session = batch_session(options)
  fill(session)
  return loop.run(function()
    if options.url then
      local started, err = connection.open(session, options.url)
      if not started then
        io.stderr:write("wingman repl: ", err, "\n")
        return 2
      end
      local ok
      ok, err = started:wait()
      if not ok then
        if not interrupt.is_ending() then session:complain(err) end
        return 1
      end
    end
    local code = run_batch_steps(session, options)
    if session.client then session.client:close() end
    return code
  end)
end

-- The client of the prompt, in the background; what happens to it is said.
local function connect(session, prompt, url)
  local connection = require "wingman.repl.connection"
  local events = require "wingman.repl.events"
  local function say(text) prompt:say(text) end
  local started, err = connection.open(session, url, function(...)
    local line = events.log_line(session.paint, ...)
    if line then say(line) end
  end)
  if not started then return nil, err end
  local client = session.client
  loop.spawn(function()
    local ok, start_err = started:wait()
    if session.client ~= client or client.closed then return end
    if ok then say(session.paint("good", events.summary(client)) .. "\n") else session:complain(start_err) end
    events.follow(client, session.paint, say)
  end)
  return client
end

-- Unacknowledged writes would be gone without a word.
local function close_client(session)
  local client = session.client
  if not client or client.closed then return end
  if client:pending_ops() > 0 and not client.options.oplog.path then
    local ok, err = client:drain(2)
    if not ok then session:complain(err) end
  end
  client:close()
end

-- What `-e` and `-i` ask for, before the prompt is a person's.
local function run_given(session, steps, done)
  local i = 0
  local function next_one()
    i = i + 1
    local step = steps[i]
    if not step then return done() end
    if step.script then return session:start_script(step.script, next_one) end
    if session:submit(step.code, next_one) == "running" then return end
    session:interrupt() -- a chunk that is not whole
    return next_one()
  end
  next_one()
end

local function run_interactive(options)
  local colours = require "wingman.text.colours"
  local interactive = require "wingman.repl.terminal.interactive"
  local session_module = require "wingman.repl.session"
  local terminal = require "wingman.terminal"
  local session
  local prompt = interactive.open(function(self)
    session = session_module.new {
      write = function(text) self:say(text) end,
      colour = colours.wanted(),
      width = terminal.width,
      page_rows = function() return session_module.page_rows(terminal.height()) end,
      json = options.json,
      has_signals = true,
    }
    return session
  end)
  if not prompt then return run_batch(options) end
  prompt:say(("wingman %s   .help for help, Ctrl-D leaves\n"):format(require("wingman.core").version))
  loop.timer(0, function() -- after the prompt is there: a client takes longer than it
    fill(session)
    function session.environment.connect(url) return connect(session, prompt, url) end
    if options.url then
      local client, err = connect(session, prompt, options.url)
      if not client then session:complain(err) end
    end
  end)
  prompt:run(#options.steps > 0 and function(done) loop.timer(0, function() run_given(session, options.steps, done) end) end)
  session:close()
  close_client(session)
  return 0
end

-- The prompt of another program, at a terminal or in a pipe.
local function run_attached(options)
  local attach = require "wingman.repl.attach"
  local colours = require "wingman.text.colours"
  local terminal = require "wingman.terminal"
  local is_batch = options.stdin or options.has_code or not (terminal.is_terminal(0) and terminal.is_terminal(1))
  local prompt, gone
  local function write(text)
    io.stdout:write(text)
    if is_batch then io.stdout:flush() end
  end
  local session, err = attach.open(options.attach, {
    write = write, write_error = function(text) io.stderr:write(text) end,
    width = terminal.width, height = not is_batch and not options.json and terminal.height or nil, colour = not is_batch and colours.wanted(), json = options.json,
    left = function(reason)
      gone = reason or "the program has ended the conversation"
      if prompt then prompt:leave() end
    end,
  })
  if not session then
    io.stderr:write("wingman repl: --attach ", err, "\n")
    return 1
  end
  local about
  about, err = session:greet(ATTACH_TIMEOUT)
  if not about then
    io.stderr:write("wingman repl: --attach ", options.attach, ": ", tostring(err), "\n")
    return 1
  end
  if is_batch then
    return loop.run(function()
      local code = run_batch_steps(session, options)
      session:close()
      return gone and 1 or code
    end)
  end
  prompt = require("wingman.repl.terminal.interactive").open(function() return session end)
  prompt:say(("attached to %s   .help for help, Ctrl-D leaves it running\n"):format(about))
  prompt:run()
  session:close()
  if gone then io.stderr:write("wingman repl: ", gone, "\n") end
  return gone and 1 or 0
end

--- The command.
---@param words string[]
---@return integer exit_code
function M.main(words)
  local options, wrong = arguments.parse(words)
  local code = usage.answer("repl", arguments.help, options, wrong)
  if code then return code end
  if options.attach then return (run_attached(options)) end
  local terminal = require "wingman.terminal"
  local is_batch = options.stdin or (options.has_code and not options.has_script)
  if not is_batch and terminal.is_terminal(0) and terminal.is_terminal(1) then return run_interactive(options) end
  return run_batch(options)
end

return M
