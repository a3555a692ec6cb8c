--- The other end of wingman.repl.server: a session for the prompt that is in another
--- program. Whether a chunk is whole is decided here; it runs there.
local cjson = require "cjson"
local loop = require "wingman.loop"
local reader = require "wingman.repl.reader"
local stream = require "wingman.loop.stream"

local M = {}

---@class wingman.repl.attachment
local methods = {}
methods.__index = methods

local function send(self, message) self.connection:write(cjson.encode(message) .. "\n") end

--- See wingman.repl.session.
function methods:submit(line, finished)
  if not self.reader:is_open() and line:match "^%s*%.%a" then
    self.finished = finished
    send(self, { op = "run", text = line })
    return "running", line
  end
  local state, result, text = self.reader:add(line)
  if state == "chunk" then
    self.finished = finished
    send(self, { op = "run", text = text })
    return "running", text
  end
  if state == "error" then self.write(result .. "\n") end
  return state, text
end

--- As submit, and waits.
methods.run = reader.run_line

function methods:complain(err) self.write_error(tostring(err) .. "\n") end

function methods:more_prompt() return self.more_text end

function methods:more(finished)
  self.finished = finished
  send(self, { op = "more" })
end

function methods:interrupt()
  self.more_text = nil
  if self.finished then send(self, { op = "interrupt" }) else self.reader:abandon() end
end

function methods:is_running() return self.finished ~= nil end
function methods:is_open() return self.reader:is_open() end

function methods:complete(text, cursor, answer)
  self.answer = answer
  send(self, { op = "complete", text = text, cursor = cursor })
end

local on = {}

function on.out(self, message) self.write(message.text) end

function on.finished(self, message)
  local finished = self.finished
  self.finished, self.more_text = nil, type(message.more) == "string" and message.more or nil
  if finished then finished(message.ok) end
end

function on.completed(self, message)
  local answer = self.answer
  self.answer = nil
  if answer then answer(message.insert, message.candidates) end
end

function on.hello(self, message) self.about:resolve(message.about) end

-- Until the other side closes; then `self.left` is called.
local function listen(self)
  while true do
    local line, err = self.connection:read_line()
    local ok, message = pcall(cjson.decode, line or "")
    if not ok or not on[message.op] then
      self.about:reject(err or "what it says is no prompt's")
      self.left(err ~= "closed" and err or nil)
      return on.finished(self, { ok = false })
    end
    on[message.op](self, message)
  end
end

--- Sends the screen's size when it has changed.
function methods:send_size()
  local width, height = self.width(), self.height and self.height()
  if width == self.sent_width and height == self.sent_height then return end
  self.sent_width, self.sent_height = width, height
  send(self, { op = "width", width = width, height = height })
end

function methods:close() self.connection:close() end

--- Attaches. Waits until the other program has answered: what it is, or nil, err.
---@param timeout number seconds
---@return string|nil about, string|nil err
function methods:greet(timeout)
  loop.spawn(listen, self)
  self.sent_width, self.sent_height = self.width(), self.height and self.height()
  send(self, { op = "hello", width = self.sent_width, height = self.sent_height, colour = self.colour, json = self.json })
  return self.about:wait(timeout)
end

---@param path string
---@param options { write: fun(text: string), write_error: fun(text: string), width: fun(): integer, height: nil|(fun(): integer), colour: boolean, json: boolean|nil, left: fun(reason: string|nil) }
---@return wingman.repl.attachment|nil, string|nil err
function M.open(path, options)
  local connection, err = stream.connect { path = path }
  if not connection then return nil, err end
  return setmetatable({
    connection = connection, reader = reader.new(), about = loop.future(), write = options.write,
    write_error = options.write_error, width = options.width, height = options.height, colour = options.colour, json = options.json, left = options.left,
  }, methods)
end

return M
