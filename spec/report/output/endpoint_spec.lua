local eventually = require "spec.support.eventually"
local endpoint = require "wingman.report.output.endpoint"
local fixture = require "spec.report.fixture"
local loop = require "wingman.loop"
local prometheus = require "wingman.report.output.prometheus"
local prometheus_server = require "spec.report.prometheus_server"
local stream = require "wingman.loop.stream"

local request = prometheus_server.request

--- Seconds for what takes milliseconds on a machine that has time.
local PATIENCE = eventually.PATIENCE

describe("metrics endpoint", function()
  local document = fixture.document { rate = 200, seconds = 5, kill = 2 }
  local server, answer

  local function serve(limits)
    server = assert(endpoint.serve("127.0.0.1:0", function() return answer() end, limits))
    return server.port
  end

  local function has_connections(count)
    eventually(("there are %d connections"):format(count), function() return server.count == count, server.count end)
  end

  before_each(function() answer = function() return document end end)
  after_each(function() if server then server:close() end end)

  it("answers GET /metrics", function()
    local status, body, head = request(serve(), "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert.equal(200, status)
    assert.equal(prometheus.format(document), body)
    assert.matches("\r\nContent%-Type: text/plain; version=0.0.4; charset=utf%-8\r\n", head)
    assert.matches(("\r\nContent%%-Length: %d\r\n"):format(#body), head)
  end)

  it("asks for the document at each scrape", function()
    local port = serve()
    for i = 1, 3 do
      answer = function()
        document.duration_s = i
        return document
      end
      local _, body = request(port, "GET /metrics?x=1 HTTP/1.0\r\n\r\n")
      assert.matches(("\nwingman_run_duration_seconds %d\n"):format(i), body)
    end
  end)

  it("keeps a connection, takes requests that come together, and answers HEAD without a body", function()
    local port = serve()
    local head_request = "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
    local status, rest = request(port, "\r\n" .. head_request .. head_request .. "GET /none HTTP/1.1\nHost: a\nConnection: close\n\n")
    assert.equal(200, status)
    assert.matches("^HTTP/1.1 200 OK\r\n.*\r\n\r\nHTTP/1.1 404 Not Found\r\n.*\r\n\r\nmetrics are at /metrics\n$", rest)
  end)

  it("takes a request byte by byte", function()
    local conn = assert(stream.connect { port = serve() })
    for byte in ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"):gmatch "." do
      conn:write(byte)
      loop.sleep(0.001)
    end
    assert.equal("HTTP/1.1 200 OK\r", conn:read_line(PATIENCE))
    conn:close()
  end)

  it("refuses what is no such request, and ends the connection", function()
    local port = serve()
    for text, wanted in pairs {
      ["GET / HTTP/1.0\r\n\r\n"] = 404,
      ["POST /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"] = 405,
      ["GET /metrics HTTP/1.1\r\n\r\n"] = 400,
      ["hello\r\n\r\n"] = 400,
      ["GET  /metrics HTTP/1.1\r\nHost: a\r\n\r\n"] = 400,
      ["GET /metrics HTTP/2.0\r\nHost: a\r\n\r\n"] = 505,
      ["GET /metrics HTTP/1.1\r\nHost: a\r\nno field\r\n\r\n"] = 400,
      ["GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n"] = 400,
      ["GET /metrics HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"] = 400,
      ["GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"] = 400,
      ["GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"] = 400,
      [("x"):rep(9000)] = 431,
      ["GET /metrics HTTP/1.1\r\n" .. ("A: b\r\n"):rep(3000)] = 431,
    } do
      assert.equal(wanted, (request(port, text)), text:sub(1, 60))
    end
  end)

  it("ends a client that does not come to the end of its request", function()
    local port = serve { request_time = 0.2 }
    local started = loop.now()
    local conn = assert(stream.connect { port = port })
    loop.spawn(function()
      while conn:write "G" do loop.sleep(0.02) end -- a byte now and then does not prolong it
    end)
    assert.equal("HTTP/1.1 408 Request Timeout\r", conn:read_line(PATIENCE))
    assert.is_true(loop.now() - started >= 0.2)
    conn:close()
  end)

  it("ends a client that says nothing, and one that takes nothing", function()
    answer = function()
      document.name = ("x"):rep(12e6)
      return document
    end
    local port = serve { idle_time = 0.1, answer_time = 0.2 }
    local silent = assert(stream.connect { port = port })
    assert.same({ nil, "closed" }, { silent:read(PATIENCE) })
    silent:close()
    local deaf = assert(stream.connect { port = port })
    deaf:write "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
    has_connections(1)
    has_connections(0)
    deaf:close()
    document.name = "x"
  end)

  it("answers a scrape beside 100 idle connections, and keeps no more than it may", function()
    local port, idle = serve { connections = 3 }, {}
    finally(function()
      for _, conn in ipairs(idle) do conn:close() end
    end)
    for round = 1, 2 do
      for _ = 1, 50 do idle[#idle + 1] = assert(stream.connect { port = port }) end
      assert.equal(200, (request(port, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")), "round " .. round)
      assert.is_true(server.count <= 3)
    end
  end)

  it("ends the connection that has been idle for longest, not the one that was used last", function()
    local port = serve { connections = 2 }
    local used = assert(stream.connect { port = port })
    has_connections(1)
    local idle = assert(stream.connect { port = port })
    has_connections(2)
    used:write "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
    assert.equal("HTTP/1.1 200 OK\r", used:read_line(PATIENCE))
    while used:read_line(PATIENCE) ~= "\r" do end
    local third = assert(stream.connect { port = port })
    assert.same({ nil, "closed" }, { idle:read(PATIENCE) })
    used:write "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
    assert.equal("HTTP/1.1 200 OK\r", used:read_line(PATIENCE))
    for _, conn in ipairs { used, idle, third } do conn:close() end
  end)

  it("says 503 when all connections are being answered", function()
    answer = function()
      document.name = ("x"):rep(12e6)
      return document
    end
    local port = serve { connections = 1 }
    local deaf = assert(stream.connect { port = port })
    deaf:write "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
    eventually("a connection is being answered", function()
      local _, wait = next(server.connections)
      return wait == false, wait
    end)
    local refused = assert(stream.connect { port = port })
    assert.equal("HTTP/1.1 503 Service Unavailable\r", refused:read_line(PATIENCE))
    refused:close()
    deaf:close()
    document.name = "x"
    has_connections(0)
    assert.equal(200, (request(port, "GET /metrics HTTP/1.0\r\n\r\n")))
  end)

  it("says 500 when the metrics cannot be had, and nothing of why", function()
    answer = function() error "secret" end
    local status, body = request(serve(), "GET /metrics HTTP/1.0\r\n\r\n")
    assert.equal(500, status)
    assert.equal("the metrics cannot be had now\n", body)
  end)

  it("names an address that is invalid, and one that is taken", function()
    local port = serve()
    for _, address in ipairs { "9464", "host:", ":99999", "", "a b:1", ":-1" } do
      local _, err = endpoint.serve(address, answer)
      assert.matches("an address such as :9464", err)
      assert.equal(err, endpoint.check_address(address))
    end
    assert.is_nil(endpoint.check_address ":9464")
    local _, err = endpoint.serve("127.0.0.1:" .. port, answer)
    assert.matches(("^prometheus: 127.0.0.1:%d: .*in use"):format(port), err)
    local everywhere = assert(endpoint.serve(":0", answer))
    assert.equal(200, (request(everywhere.port, "GET /metrics HTTP/1.0\r\n\r\n")))
    everywhere:close()
    everywhere:close()
  end)

  local function check(name, fn)
    if prometheus_server.path() then return it(name, fn) end
    pending(name .. " (prometheus is not there; Debian: prometheus)")
  end

  check("is scraped by a real Prometheus", function()
    local live = fixture.document { rate = 200, seconds = 5 }
    local acked
    for _, metric in ipairs(live.metrics) do
      if metric.name == "ops_acked" and not next(metric.tags) then acked = metric end
    end
    answer = function() return live end
    local scraper = prometheus_server.start(serve())
    local ok, err = pcall(function()
      local function value(expression)
        local found = scraper:query(expression)
        return found[1] and found[1].value
      end
      -- Each is awaited: after a scrape that took too long, on a busy machine, it has none of them until the next.
      local function has(expression, expected)
        eventually(("Prometheus has %s = %g"):format(expression, expected), function()
          local is = value(expression)
          return is == expected, is
        end)
      end
      has("up", 1)
      has("wingman_ops_acked_total", 1000)
      has("sum(wingman_ops_acked_by_node_total)", 1000)
      has("count(wingman_ops_acked_by_node_total)", 3)
      has("wingman_op_latency_seconds_count", 1000)
      local p50 = eventually("Prometheus has the latency", function() return value "histogram_quantile(0.5, wingman_op_latency_seconds_bucket)" end)
      assert.is_true(p50 > 0.0001 and p50 < 0.0005, p50)
      local info = eventually("Prometheus has the run", function() return scraper:query "wingman_run_info"[1] end)
      assert.equal("writes while a node dies", info.labels.name)
      acked.count = 1234
      has("wingman_ops_acked_total", 1234)
      server:close()
      has("up", 0)
    end)
    scraper:stop()
    if not ok then error(err, 0) end
  end)
end)
