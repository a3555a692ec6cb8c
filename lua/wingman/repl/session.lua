--- What a prompt is, whatever it is typed at: lines in, text out. The terminal, a pipe
--- and `--attach` are ways to it.
local chunk_module = require "wingman.repl.chunk"
local colours = require "wingman.text.colours"
local escape = require "wingman.base.escape"
local json = require "wingman.repl.json"
local loop = require "wingman.loop"
local printer = require "wingman.text.printer"
local reader = require "wingman.repl.reader"
local text_table = require "wingman.text.table"

local M = {}

---@class wingman.repl.session
---@field client wingman.client|nil  what the commands are about
---@field write fun(text: string)
---@field paint fun(kind: string, text: string): string
---@field width fun(): integer
---@field running wingman.repl.chunk|nil
---@field colour boolean
---@field has_signals boolean  Ctrl-C at this process is about its chunks
---@field watch wingman.repl.watch|nil  what ends its chunks besides
---@field lines string[]  chunks that have run, for .save
---@field environment table  the globals of what is typed
---@field settings table<string, any>  of the commands
---@field page_rows (fun(): integer)|nil  rows of a page, where somebody sits at a screen and can ask for the next; nil: lists are cut
---@field paged { value: table, shown: integer }|nil  the list of which there is more
local methods = {}
methods.__index = methods

local function is_error(value) return type(value) == "table" and type(value.code) == "string" and value.message ~= nil end

--- An error as one sees it: text, or an error object with its code.
---@param err any
---@return string
function methods:error_text(err)
  if type(err) == "string" then return escape.lines(err) end
  if is_error(err) then return escape.plain(tostring(err)) end
  return self.printer:format(err)
end

function methods:complain(err) self.write_error(self.paint("error", self:error_text(err)) .. "\n") end

-- A list that is longer than a screen, where somebody sits at one: its first page.
local function first_page(self, value, meta)
  local rows = self.page_rows and self.page_rows()
  if not rows or not meta.page or #value <= rows then return nil end
  self.paged = { value = value, shown = rows }
  return meta.page(value, self.paint, self.width(), 1, rows)
end

-- A view of wingman.inspect knows how it looks.
local function show_value(self, value, is_last)
  local meta = type(value) == "table" and getmetatable(value)
  local page = is_last and meta and first_page(self, value, meta)
  if page then return (page:gsub("\n$", "")) end
  if meta and meta.render then return meta.render(value, self.paint, self.width()):gsub("\n$", "") end
  return self.printer:format(value)
end

local function show_json(value)
  local text, err = json.encode(value)
  return text or json.encode { error = "no JSON form: " .. err }
end

--- Shows what a chunk returned; false when that says that something went wrong: an
--- error it raised, or nil and an error.
---@param results table
---@return boolean ok
function methods:show(results)
  if not results[1] then
    self:complain(results[2])
    return false
  end
  if results.n == 3 and results[2] == nil and is_error(results[3]) then
    self:complain(results[3])
    return false
  end
  local last = results.n
  while last > 2 and results[last] == nil do last = last - 1 end -- value, nil: there was no error
  for i = 2, last do
    self.write((self.json and show_json(results[i]) or show_value(self, results[i], i == last)) .. "\n")
  end
  if results[2] ~= nil then self.environment._ = results[2] end
  return true
end

--- Starts a function as the running chunk. `finished(ok)` is called once its results
--- are shown.
---@param fn function
---@param finished fun(ok: boolean)
function methods:start(fn, finished)
  local chunk = chunk_module.start(fn, self.has_signals, self.watch)
  self.running = chunk
  chunk.task:on_settled(function()
    self.running = nil
    local results = chunk:wait()
    if chunk.interrupted and not results[1] then
      self.write_error(self.paint("error", "interrupted") .. "\n")
      return finished(false)
    end
    finished(self:show(results))
  end)
end

--- Takes a line. "more": the chunk goes on in the next line; "running": `finished`
--- will be called; "nothing": there was nothing to do; "error": it has been shown.
---@param line string
---@param finished fun(ok: boolean)
---@return "more"|"running"|"nothing"|"error" state
---@return string text  of the whole chunk
function methods:submit(line, finished)
  self.paged = nil
  if not self.reader:is_open() and line:match "^%s*%.%a" then
    local commands = require "wingman.repl.commands"
    self:start(function() return commands.run(self, line) end, finished)
    return "running", line
  end
  local state, result, text = self.reader:add(line)
  if state == "chunk" then
    setfenv(result, self.environment)
    self.lines[#self.lines + 1] = text
    self:start(result, finished)
    return "running", text
  end
  if state == "error" then self:complain(result) end
  return state, text
end

--- As submit, and waits.
---@type fun(self: wingman.repl.session, line: string): boolean|nil
methods.run = reader.run_line

--- Runs a script as a chunk, with the prompt's globals, and waits: true when it went well.
---@param path string
---@return boolean ok
function methods:run_script(path)
  local done = loop.future()
  self:start_script(path, function(ok) done:resolve(ok) end)
  return done:wait()
end

--- Starts a script as a chunk.
---@param path string
---@param finished fun(ok: boolean)
function methods:start_script(path, finished)
  local inspect = require "wingman.inspect"
  self:start(function() return inspect.load(path, self.environment) end, finished)
end

--- What asks for the next page of the list that was shown last; nil: there is none.
---@return string|nil
function methods:more_prompt()
  local paged = self.paged
  return paged and ("-- %s of %s; Enter: more, q: end -- "):format(text_table.count(paged.shown), text_table.count(#paged.value))
end

--- Shows the next page. `finished(ok)` is called then.
---@param finished fun(ok: boolean)
function methods:more(finished)
  local paged = self.paged
  if paged then
    local rows = self.page_rows()
    self.write(getmetatable(paged.value).page(paged.value, self.paint, self.width(), paged.shown + 1, rows))
    paged.shown = paged.shown + rows
    if paged.shown >= #paged.value then self.paged = nil end
  end
  loop.soon(finished, true)
end

--- Ends the running chunk; without one, drops the lines of the chunk that was begun, and the pages that were not shown.
function methods:interrupt()
  self.paged = nil
  if self.running then self.running:interrupt() else self.reader:abandon() end
end

--- Whether a chunk runs; whether one was begun and goes on in the next line.
---@return boolean
function methods:is_running() return self.running ~= nil end
function methods:is_open() return self.reader:is_open() end

--- What could be typed: `answer(insert, candidates)`, see wingman.repl.completion.
---@param text string
---@param cursor integer
---@param answer fun(insert: string, candidates: string[])
function methods:complete(text, cursor, answer)
  local completion = require "wingman.repl.completion"
  answer(completion.complete(self, text, cursor))
end

--- Ends what goes on: traces and watches. The client is not the session's.
function methods:close()
  local live = require "wingman.repl.subscriptions"
  live.stop(self, "trace")
  live.stop(self, "watch")
  live.stop(self, "live")
  live.stop(self, "log")
end

--- Rows of a page on a screen: its lines less those of the source, the heading and the prompt.
---@param height integer
---@return integer
function M.page_rows(height) return math.max(5, math.floor(height) - 3) end

---@param options { write: fun(text: string), write_error: fun(text: string)|nil, colour: boolean|nil, width: nil|(fun(): integer), page_rows: nil|(fun(): integer), json: boolean|nil, has_signals: boolean|nil, watch: wingman.repl.watch|nil, environment: table|nil }
---@return wingman.repl.session
function M.new(options)
  local width = options.width or function() return 80 end
  return setmetatable({
    write = options.write,
    write_error = options.write_error or options.write,
    paint = colours.painter(options.colour or false),
    width = width,
    colour = options.colour or false,
    json = options.json,
    page_rows = not options.json and options.page_rows or nil,
    has_signals = options.has_signals or false,
    watch = options.watch,
    printer = printer.new { colour = options.colour, width = width },
    reader = reader.new(),
    lines = {},
    environment = options.environment or _G,
    settings = {},
  }, methods)
end

return M
