--- The metrics of a run for Prometheus.
local eventually = require "spec.support.eventually"
local load_run = require "spec.support.load_run"
local sockets = require "spec.support.sockets"
local stream = require "wingman.loop.stream"

local ctl, start, RATE = load_run.ctl, load_run.start_controlled, load_run.ENDLESS

describe("the metrics of a run for Prometheus", function()
  after_each(load_run.clean)

  it("are served while it runs", function()
    local port = sockets.free_tcp_port()
    local _, path, finish = start(RATE, { "--prometheus", "127.0.0.1:" .. port })
    local function scraped()
      local conn = assert(stream.connect { port = port })
      assert(conn:write "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      local text = ""
      while true do
        local more = conn:read(60)
        if not more then break end
        text = text .. more
      end
      conn:close()
      return text
    end
    local _, text = eventually("an acknowledgement is counted", function()
      local text = scraped()
      return (tonumber(text:match "wingman_ops_acked_total (%d+)") or 0) > 0, text
    end)
    assert.truthy(text:find("HTTP/1.1 200 OK", 1, true), text)
    ctl(path, "stop")
    finish()
  end)
end)
