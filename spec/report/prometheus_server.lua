--- A real Prometheus that scrapes one target, in a directory of its own, and the
--- questions that specs ask it.
local cjson = require "cjson"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local process = require "wingman.loop.process"
local sockets = require "spec.support.sockets"
local stream = require "wingman.loop.stream"

local M = {}

local function find(name)
  local pipe = assert(io.popen(("command -v %s || command -v build/prometheus/usr/bin/%s"):format(name, name)))
  local path = pipe:read "*l"
  pipe:close()
  return path
end

function M.path() return find "prometheus" end
function M.promtool() return find "promtool" end

--- One HTTP request; the status, the body, and the head.
---@return integer|nil status, string body, string head
function M.request(port, text, timeout)
  local conn = assert(stream.connect { port = port })
  conn:write(text)
  local parts = {}
  while true do
    local more = conn:read(timeout or 60)
    if not more then break end
    parts[#parts + 1] = more
  end
  conn:close()
  local head, body = table.concat(parts):match "^(.-)\r\n\r\n(.*)$"
  return tonumber((head or ""):match "^HTTP/1%.[01] (%d+)"), body, head
end

local function get(port, path)
  return M.request(port, ("GET %s HTTP/1.0\r\nHost: a\r\n\r\n"):format(path))
end

local CONFIG = [[
global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs:
  - job_name: wingman
    static_configs: [ { targets: [ "127.0.0.1:%d" ] } ]
]]

---@class spec.prometheus_server
local methods = {}
methods.__index = methods

--- Starts one that scrapes 127.0.0.1:port, and waits until it answers.
function M.start(target_port)
  local directory = os.tmpname()
  os.remove(directory)
  assert(os.execute("mkdir " .. directory) == 0)
  assert(core.replace_file(directory .. "/config.yml", CONFIG:format(target_port)))
  local self = setmetatable({ directory = directory, port = sockets.free_tcp_port() }, methods)
  self.child = assert(process.spawn { file = M.path(), stderr = true, args = {
    "--config.file=" .. directory .. "/config.yml", "--storage.tsdb.path=" .. directory .. "/data",
    "--web.listen-address=127.0.0.1:" .. self.port, "--log.level=warn",
  } })
  eventually("prometheus answers", function()
    local status = get(self.port, "/-/ready")
    return status == 200, status
  end, 120)
  return self
end

--- The result of a query: a list of { metric labels, value }.
function methods:query(expression)
  local escaped = expression:gsub("[^%w_]", function(c) return ("%%%02X"):format(c:byte()) end)
  local status, body = get(self.port, "/api/v1/query?query=" .. escaped)
  assert(status == 200, body)
  local found = {}
  for i, entry in ipairs(cjson.decode(body).data.result) do found[i] = { labels = entry.metric, value = tonumber(entry.value[2]) } end
  return found
end

function methods:stop()
  self.child:kill "SIGTERM"
  self.child:wait(60)
  self.child:close()
  os.execute("rm -rf " .. self.directory)
end

return M
