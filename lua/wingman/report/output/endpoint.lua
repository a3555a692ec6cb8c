--- Serves a live run's metrics to Prometheus: HTTP/1.1, GET /metrics, nothing else.
--- What a client can take up is bounded: the size and time of a request, the time of
--- an answer, the number of connections. When there are as many as may be, a new one takes
--- the place of the one that has been without a whole request for longest, so that idle
--- connections keep nobody out.
local loop = require "wingman.loop"
local prometheus = require "wingman.report.output.prometheus"
local stream = require "wingman.loop.stream"

local M = {}

--- A request line and its headers.
local REQUEST_MAX = 8192
--- Seconds for a whole request, between requests, and for an answer to be taken.
local limits = { request_time = 5, idle_time = 120, answer_time = 10, connections = 16 }

local reasons = {
  [200] = "OK", [400] = "Bad Request", [404] = "Not Found", [405] = "Method Not Allowed", [408] = "Request Timeout",
  [431] = "Request Header Fields Too Large", [500] = "Internal Server Error", [503] = "Service Unavailable",
  [505] = "HTTP Version Not Supported",
}

---@class wingman.report.endpoint
---@field port integer
---@field package listener wingman.stream
---@field package connections table<wingman.stream, integer|false>  which began to wait for a request when, in order; false: it is answered
---@field package waits integer  that began so far
---@field package count integer
---@field package document fun(): table
---@field package limits table
local methods = {}
methods.__index = methods

local function answer_text(status, body, options)
  local lines = {
    ("HTTP/1.1 %d %s"):format(status, reasons[status]),
    "Content-Type: " .. (options.type or "text/plain; charset=utf-8"),
    ("Content-Length: %d"):format(#body),
    "Connection: " .. (options.keep and "keep-alive" or "close"),
    "X-Content-Type-Options: nosniff",
  }
  if status == 405 then lines[#lines + 1] = "Allow: GET, HEAD" end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (options.head_only and "" or body)
end

local function refuse(status, detail) return { status = status, body = detail .. "\n" } end

-- The header fields by lower-case name, or nil when one is none.
local function fields_of(lines)
  local fields = {}
  for i = 2, #lines do
    local name, value = lines[i]:match "^([%w!#$%%&'*+.^_`|~-]+):[ \t]*(.-)[ \t]*$"
    if not name or fields[name:lower()] and name:lower() == "content-length" then return nil end
    fields[name:lower()] = value
  end
  return fields
end

-- What is asked for: { target, method, keep }, or a refusal.
local function parse(head)
  local lines = {}
  for line in (head .. "\n"):gmatch "(.-)\r?\n" do lines[#lines + 1] = line end
  local method, target, major, minor = (lines[1] or ""):match "^(%u+) (%S+) HTTP/(%d)%.(%d)$"
  if not method then return nil, refuse(400, "no HTTP request") end
  if major ~= "1" then return nil, refuse(505, "HTTP/1.1 is spoken here") end
  local fields = fields_of(lines)
  if not fields or head:find "%z" then return nil, refuse(400, "a header field is none") end
  if minor == "1" and not fields.host then return nil, refuse(400, "Host is missing") end
  if fields["transfer-encoding"] or (fields["content-length"] or "0") ~= "0" then
    return nil, refuse(400, "a request without a body is expected")
  end
  local connection = (fields.connection or ""):lower()
  local keep = minor == "1" and not connection:find "close" or connection:find "keep%-alive" ~= nil
  return { method = method, path = target:match "^[^?]*", keep = keep }
end

local function respond(self, request)
  if request.path ~= "/metrics" then return refuse(404, "metrics are at /metrics") end
  if request.method ~= "GET" and request.method ~= "HEAD" then return refuse(405, "GET is expected") end
  local ok, text = pcall(function() return prometheus.format(self.document()) end)
  if not ok then return refuse(500, "the metrics cannot be had now") end
  return { status = 200, body = text, type = prometheus.content_type }
end

-- Reads up to the empty line: the head and what came after it; nil and a status, or nil
-- when the client is gone.
local function read_head(self, conn, rest)
  local text, deadline = rest, nil
  while true do
    local head, after = text:match "^[\r\n]*(.-)\r?\n\r?\n(.*)$"
    if head and head ~= "" then return head, after end
    if #text > REQUEST_MAX then return nil, refuse(431, "the request is too large") end
    deadline = deadline or #text > 0 and loop.now() + self.limits.request_time
    local more, err = conn:read(deadline and deadline - loop.now() or self.limits.idle_time)
    if not more then return nil, err == "timeout" and #text > 0 and refuse(408, "the request did not end in time") or nil end
    text = text .. more
    if text:match "^[\r\n]*$" then text = "" end
  end
end

local function send(self, conn, answer, keep, head_only)
  conn:write(answer_text(answer.status, answer.body, { type = answer.type, keep = keep, head_only = head_only }))
  return conn:drain(self.limits.answer_time)
end

local function begin_wait(self, conn)
  self.waits = self.waits + 1
  self.connections[conn] = self.waits
end

local function converse(self, conn)
  local rest = ""
  while not conn:closed() do
    begin_wait(self, conn)
    local head, after = read_head(self, conn, rest)
    if conn:closed() then return end
    self.connections[conn] = false
    if not head then return after and send(self, conn, after, false) end
    rest = after
    local request, refusal = parse(head)
    if not request then return send(self, conn, refusal, false) end
    if not send(self, conn, respond(self, request), request.keep, request.method == "HEAD") or not request.keep then return end
  end
end

-- Ends a connection; safe twice.
local function forget(self, conn)
  conn:close()
  if self.connections[conn] == nil then return end
  self.connections[conn], self.count = nil, self.count - 1
end

local function serve_one(self, conn)
  self.count = self.count + 1
  begin_wait(self, conn)
  loop.spawn(function()
    local ok, err = pcall(converse, self, conn)
    forget(self, conn)
    if not ok then error(err, 0) end
  end)
end

-- Ends the connection that has waited for a request for longest; false when all are being
-- answered.
local function make_room(self)
  local oldest
  for conn, wait in pairs(self.connections) do
    if wait and not conn:closed() and (not oldest or wait < self.connections[oldest]) then oldest = conn end
  end
  if not oldest then return false end
  forget(self, oldest)
  return true
end

local function accept_all(self)
  while true do
    local conn, err = self.listener:accept()
    if not conn then
      if err == "closed" or self.listener:closed() then return end
      loop.sleep(0.1) -- no descriptor is free, say: another try is worth it
    elseif self.count >= self.limits.connections and not make_room(self) then
      conn:write(answer_text(503, "too many connections\n", {}))
      conn:close()
    else
      serve_one(self, conn)
      loop.sleep(0) -- what it asks is read before others can take its place
    end
  end
end

-- "host:port", ":port", "[::1]:port" -> host, port.
local function parse_address(address)
  local host, port = address:match "^%[([%x:.]+)%]:(%d+)$"
  if not host then host, port = address:match "^([%w.-]*):(%d+)$" end
  port = tonumber(port)
  if not port or port > 65535 then return nil end
  if host == "localhost" then host = "127.0.0.1" end
  return host == "" and "0.0.0.0" or host, port
end

--- Whether an address is one: nil, or what is wrong.
---@param address string
---@return string|nil err
function M.check_address(address)
  if not parse_address(address) then
    return ("'%s': an address such as :9464 (every interface), 127.0.0.1:9464 or [::1]:9464 is expected"):format(address)
  end
end

--- Serves until close(). `document` is asked at each scrape; when it raises, the scrape
--- is answered with 500.
---@param address string  ":9464" (every interface), "127.0.0.1:9464"; port 0 is any
---@param document fun(): table
---@param given { request_time: number|nil, idle_time: number|nil, answer_time: number|nil, connections: integer|nil }|nil
---  what a client may take up: seconds for a request (5), between two (120), for the
---  answer to be taken (10); connections at once (16), idle ones giving way
---@return wingman.report.endpoint|nil, string|nil err
function M.serve(address, document, given)
  local host, port = parse_address(address)
  if not host then return nil, M.check_address(address) end
  local listener, err = stream.listen { host = host, port = port }
  if not listener then return nil, "prometheus: " .. err end
  local self = setmetatable({ port = listener.port, listener = listener, connections = {}, count = 0, waits = 0, document = document,
    limits = setmetatable(given or {}, { __index = limits }) }, methods)
  loop.spawn(accept_all, self)
  return self
end

--- Ends the listener and every connection. Safe twice.
function methods:close()
  self.listener:close()
  for conn in pairs(self.connections) do conn:close() end
end

return M
