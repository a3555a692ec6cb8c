--- The prompt at a terminal. The network runs while it waits; what happens meanwhile
--- appears above the line that is being typed.
local completion = require "wingman.repl.completion"
local history_module = require "wingman.repl.terminal.history"
local input_module = require "wingman.repl.input"
local loop = require "wingman.loop"
local output = require "wingman.repl.terminal.output"
local terminal = require "wingman.terminal"

local M = {}

local PROMPT, CONTINUATION = "wingman> ", "      .. "

---@class wingman.repl.interactive
---@field session table  a wingman.repl.session, or one in another program
---@field editor userdata
---@field input wingman.repl.input
---@field history wingman.repl.history
---@field ended boolean
local methods = {}
methods.__index = methods

-- Takes the line off the screen until the end of the iteration.
local function hide(self)
  if self.editor then self.editor:hide() end
end

local function show(self)
  if not self.editor then return end
  io.stdout:flush()
  self.editor:show()
end

--- Writes whole lines above the prompt.
---@param text string
function methods:say(text) io.stdout:write(text) end

local advance

local function begin(self, prompt)
  if not output.at_line_start then io.stdout:write "\n" end
  self.editor:begin(prompt)
end

local function finished(self)
  if self.ended then return end
  self.input:want(true)
  begin(self, self.session:more_prompt() or PROMPT)
  advance(self, "")
end

-- A line was typed where more of a list can be had: nothing asks for it, q ends it, and anything else is meant for the
-- prompt, which returns nil. True when the prompt goes on at once.
local function answer_page(self, line)
  if line == "" then
    self.input:want(false)
    self.session:more(function() finished(self) end)
    return false
  end
  self.session:interrupt()
  if not line:match "^%s*[qQ]%s*$" then return nil end
  begin(self, PROMPT)
  return true
end

-- A whole line was typed. True when the prompt goes on at once.
local function submit(self, line)
  output.at_line_start = true -- Enter has moved to the next one
  if self.session:more_prompt() then
    local goes_on = answer_page(self, line)
    if goes_on ~= nil then return goes_on end
  end
  local state, text = self.session:submit(line, function() finished(self) end)
  if state == "more" then
    begin(self, CONTINUATION)
    return true
  end
  self.history:add(text)
  if state == "running" then
    self.input:want(false)
    return false
  end
  begin(self, PROMPT)
  return true
end

-- Ctrl-D: the chunk that was begun is dropped, or the pages that were not shown; else the prompt is left.
local function end_of_input(self)
  io.stdout:write "\n"
  if not self.session:is_open() and not self.session:more_prompt() then
    self.ended = true
    return false
  end
  self.session:interrupt()
  begin(self, PROMPT)
  return true
end

local function complete(self, text, cursor)
  self.input:want(false) -- keys typed meanwhile come after what is inserted
  self.session:complete(text, cursor, function(insert, candidates)
    if #candidates > 1 and insert == "" then
      self:say(completion.in_columns(candidates, terminal.width()))
      show(self)
    end
    self.editor:complete(insert)
    self.input:want(true)
    advance(self, "")
  end)
end

-- Hands input to the editor, and does what comes of it.
function advance(self, typed)
  local event, text, cursor = self.editor:next(typed)
  while true do
    if event == "waits" then return end
    if event == "completes" then return complete(self, text, cursor) end
    local goes_on
    if event == "line" then goes_on = submit(self, text) else goes_on = end_of_input(self) end
    if not goes_on then return end
    event, text, cursor = self.editor:next ""
  end
end

local function on_interrupt(self)
  if self.session:is_running() then return self.session:interrupt() end
  self.editor:cancel()
  self.session:interrupt()
  output.at_line_start = true
  begin(self, PROMPT)
  advance(self, "")
end

local function read_news(self)
  local interrupts, redraw = terminal.news()
  if redraw and not self.session:is_running() then
    hide(self)
    self.editor:take_terminal()
    if self.session.send_size then self.session:send_size() end
  end
  if interrupts > 0 then on_interrupt(self) end
end

-- Reading and other programs get the terminal as they expect it.
local function lend(self)
  return function(fn)
    local editor = self.editor
    if not editor then return fn() end
    hide(self)
    editor:lend_terminal()
    local results = { pcall(fn) }
    editor:take_terminal()
    output.at_line_start = true
    if not results[1] then error(results[2], 0) end
    return unpack(results, 2)
  end
end

--- Part of the loop: nothing waits while the prompt is off the screen.
function methods:flush()
  if not self.ended then show(self) end
end

--- Shows the prompt until it is left.
---@param first fun(done: fun())|nil  what comes before it, until it calls `done`
function methods:run(first)
  local function start() finished(self) end
  if first then first(start) else start() end
  while not self.ended do
    loop.iterate(math.huge)
    read_news(self)
    self:flush()
  end
  self:close()
end

--- Ends `run` at the end of this iteration.
function methods:leave()
  hide(self)
  self.ended = true
  loop.timer(0, function() end) -- this iteration does not wait
end

--- Gives the terminal back.
function methods:close()
  if not self.editor then return end
  io.stdout:flush()
  loop.remove_source(self)
  terminal.signals(nil)
  terminal.arm(nil)
  self.input:close()
  self.editor:close()
  self.editor = nil
end

--- Takes the terminal. `make_session(self)` gives the session: submit, complete,
--- interrupt, is_running, is_open, more_prompt, more.
---@param make_session fun(self: wingman.repl.interactive): table
---@return wingman.repl.interactive|nil  nil when standard input is no terminal
function M.open(make_session)
  local editor = terminal.editor()
  if not editor then return nil end
  local self = setmetatable({ editor = editor, ended = false }, methods)
  loop.add_source(self) -- the first source is the last to be asked
  output.capture(function() hide(self) end, lend(self))
  terminal.signals(loop.handle())
  self.history = history_module.open(function(text) editor:remember(text) end)
  self.input = input_module.open(function(bytes)
    if self.ended then return end
    read_news(self) -- the size of the screen first, then what is drawn on it
    advance(self, bytes)
  end)
  local exit = os.exit
  os.exit = function(code)
    self:close()
    return exit(code, true)
  end
  self.session = make_session(self)
  return self
end

return M
