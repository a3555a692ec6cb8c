--- A prompt inside this program, for `wingman repl --attach PATH`. Off until a script
--- asks for it:
---
---   local prompt = require("wingman.repl.server").listen("/run/user/1000/load.sock", { client = client })
---
--- Who can open the socket runs Lua here: it is a file with mode 0600, so that is its
--- owner alone. Nothing that comes from servers gets there. A chunk runs as a task of
--- the loop, beside the program's own; while it computes without waiting, the program
--- stands still, so it may do that for two seconds, or what `chunk_limit` says.
---
--- The conversation is one JSON object a line. From the prompt: hello (width, height, colour, json),
--- run (text), more, complete (text, cursor), interrupt, width (width, height). To it: hello (about), out
--- (text), finished (ok, more: what asks for the next page of a list), completed (insert, candidates). Who says no
--- height gets no pages.
local cjson = require "cjson"
local check_options = require("wingman.options.check").check
local loop = require "wingman.loop"
local session_module = require "wingman.repl.session"
local stream = require "wingman.loop.stream"

local M = {}

--- Seconds that a chunk may compute without waiting.
local CHUNK_LIMIT = 2

---@class wingman.repl.server
---@field path string  of its socket
---@field chunk_limit number|nil  seconds; nil: none
local methods = {}
methods.__index = methods

local function send(conversation, message)
  local ok = conversation.connection:write(cjson.encode(message) .. "\n")
  if not ok then conversation.connection:close() end -- it has not read 16 MiB, or is gone
end

-- The globals of what is typed: the program's own, so that they can be changed; `print`
-- and what the server was given are the prompt's.
local function make_environment(globals, write)
  local own = {
    print = function(...)
      local parts = {}
      for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
      write(table.concat(parts, "\t") .. "\n")
    end,
    sleep = loop.sleep,
    wingman = require "wingman",
  }
  for name, value in pairs(globals) do own[name] = value end
  return setmetatable(own, {
    __index = _G,
    __newindex = function(_, name, value)
      if name == "_" then rawset(own, name, value) else _G[name] = value end
    end,
  })
end

-- Whether the prompt wants the running chunk to end, or is gone. The loop stands still while the
-- chunk computes, so this looks at the socket itself; it leaves the bytes for the loop to read.
local function wants_end(conversation)
  local text, ended = conversation.connection:peek()
  if ended then return true end
  if text == conversation.looked_at then return false end
  conversation.looked_at = text
  for line in text:gmatch "([^\n]*)\n" do
    local ok, message = pcall(cjson.decode, line)
    if ok and type(message) == "table" and message.op == "interrupt" then return true end
  end
  return false
end

local function open_session(self, conversation, hello)
  local function write(text) send(conversation, { op = "out", text = text }) end
  conversation.width, conversation.height = tonumber(hello.width) or 80, hello.height
  local session = session_module.new {
    write = write,
    colour = hello.colour == true,
    json = hello.json == true,
    width = function() return conversation.width end,
    page_rows = hello.height and function() return session_module.page_rows(conversation.height) end or nil,
    environment = make_environment(self.globals, write),
    watch = { limit = self.chunk_limit, now = self.now, wants_end = function() return wants_end(conversation) end },
  }
  session.client = self.globals.client
  rawset(session.environment, "help", function(value)
    write(require("wingman.repl.help").about(value, session.paint))
  end)
  conversation.session = session
  if session.client and not session.client.closed then
    local events = require "wingman.repl.events"
    conversation.unfollow = events.follow(session.client, session.paint, write)
  end
  send(conversation, { op = "hello", about = self.about })
end

local on = {}

function on.hello(self, conversation, message)
  if not conversation.session then open_session(self, conversation, message) end
end

local function finished(conversation, ok)
  send(conversation, { op = "finished", ok = ok, more = conversation.session:more_prompt() })
end

function on.run(_, conversation, message)
  local session = conversation.session
  if session:is_running() then return end
  local state = session:submit(message.text, function(ok) finished(conversation, ok) end)
  if state == "more" then session:complain(session.reader:abandon()) end
  if state ~= "running" then send(conversation, { op = "finished", ok = state == "nothing" }) end
end

function on.more(_, conversation) conversation.session:more(function(ok) finished(conversation, ok) end) end

function on.complete(_, conversation, message)
  conversation.session:complete(message.text, message.cursor, function(insert, candidates)
    send(conversation, { op = "completed", insert = insert, candidates = setmetatable(candidates, cjson.array_mt) })
  end)
end

function on.interrupt(_, conversation) conversation.session:interrupt() end

function on.width(_, conversation, message)
  conversation.width = tonumber(message.width) or conversation.width
  conversation.height = message.height or conversation.height
end

local types = { text = "string", cursor = "number", width = "number", height = "number", colour = "boolean", json = "boolean" }

-- A message that is well formed and in its place; else the conversation ends.
local function understood(conversation, line)
  local ok, message = pcall(cjson.decode, line)
  if not ok or type(message) ~= "table" or not on[message.op] then return nil end
  for name, kind in pairs(types) do
    if message[name] ~= nil and type(message[name]) ~= kind then return nil end
  end
  if message.op == "run" and not message.text then return nil end
  if message.op == "complete" and not (message.text and message.cursor) then return nil end
  if message.op ~= "hello" and not conversation.session then return nil end
  return message
end

local function close(self, conversation)
  self.conversations[conversation] = nil
  conversation.connection:close()
  if conversation.unfollow then conversation.unfollow() end
  local session = conversation.session
  if not session then return end
  if session:is_running() then session:interrupt() end
  session:close()
end

local function converse(self, connection)
  local conversation = { connection = connection }
  self.conversations[conversation] = true
  while true do
    local line = connection:read_line()
    local message = line and understood(conversation, line)
    if not message then break end
    on[message.op](self, conversation, message)
  end
  close(self, conversation)
end

--- Stops listening: attached prompts are closed, their chunks are ended, the socket file is removed.
function methods:close()
  self.listener:close()
  for conversation in pairs(self.conversations) do conversation.connection:close() end
end

--- What `listen` takes.
---@type table<string, wingman.option_rule>
M.options = {
  chunk_limit = { type = "duration", default = CHUNK_LIMIT, min = 0, max = math.huge,
    about = "how long a chunk may compute without waiting; math.huge: for ever" },
  now = { type = "function", default = loop.now, about = "the clock for it; default: that of the loop" },
}

--- Lets prompts attach.
---@param path string  a socket in the file system, made with mode 0600
---@param globals table|nil  what the prompts have beside the program's globals; `client` is
---  what their commands are about
---@param options wingman.repl.server_options|nil
---@return wingman.repl.server|nil, string|nil err
function M.listen(path, globals, options)
  options = check_options(M.options, options == nil and {} or options, "repl.server.listen", 2)
  if type(path) ~= "string" then error("repl.server.listen: a path is expected, got " .. type(path), 2) end
  local listener, err = stream.listen { path = path }
  if not listener then return nil, err end
  local self = setmetatable({
    path = path,
    listener = listener,
    globals = globals or {},
    chunk_limit = options.chunk_limit < math.huge and options.chunk_limit or nil, now = options.now,
    conversations = {},
    about = ("process %d: %s"):format(require("wingman.core").process_id(), arg and arg[0] or "a program"),
  }, methods)
  loop.spawn(function()
    while true do
      local connection = listener:accept()
      if not connection then return end
      loop.spawn(converse, self, connection)
    end
  end)
  return self
end

return M
