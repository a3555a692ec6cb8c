--- The way to an open WebSocket: what servers answer to the upgrade, and how it is reported;
--- after an answer that is no upgrade the socket is closed.
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local sockets = require "spec.support.sockets"
local wingman = require "wingman"

--- Seconds for what takes milliseconds, on a machine that is busy.
local PATIENCE = 60

local function status(line, headers) return "HTTP/1.1 " .. line .. "\r\n" .. (headers or "") .. "\r\n" end

local SWITCH = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
--- The answer to the key of RFC 6455, which no client draws.
local WRONG_ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

local answers = {
  { "a redirect", status("302 Found", "Location: ws://elsewhere.example/ws\r\n"),
    "HTTP 302: a redirect to ws://elsewhere.example/ws, which is not followed" },
  { "a redirect that repeats the query", status("307 There", "Location: wss://h/ws?token=secret\r\n"),
    "HTTP 307: a redirect to wss://h/ws?***, which is not followed" },
  { "a redirect whose target is not for terminals", status("301 Moved", "Location: http://x/\27[31m\200\r\n"),
    [[HTTP 301: a redirect to http://x/\x1b[31m\xc8, which is not followed]] },
  { "a redirect to nowhere", status "302 Found", "HTTP 302 Found" },
  { "a page", status("200 OK", "Content-Length: 2\r\n") .. "ok", "HTTP 200 OK" },
  { "a status without a reason", status "503 ", "HTTP 503" },
  { "a reason that is not for terminals", status "403 \27]0;owned\7", [[HTTP 403 \x1b]0;owned\x07]] },
  { "an upgrade to something else", status("101 Switching Protocols", "Upgrade: h2c\r\nConnection: Upgrade\r\n"),
    "HTTP 101, but no upgrade to a WebSocket" },
  { "an upgrade for another key", status("101 Switching Protocols", SWITCH .. WRONG_ACCEPT),
    "HTTP 101 with a wrong Sec-WebSocket-Accept" },
  { "an upgrade without a key", status("101 Switching Protocols", SWITCH), "HTTP 101 with a wrong Sec-WebSocket-Accept" },
  { "endless headers", "HTTP/1.1 101 Switching Protocols\r\n" .. ("X-Filler: " .. ("x"):rep(1000) .. "\r\n"):rep(100),
    "the answer's headers are longer than 16 KiB" },
  { "a header without a colon", status("101 Switching Protocols", "nonsense\r\n"), "the answer is not HTTP" },
  { "another protocol", "220 mail.example ESMTP\r\n\r\n", "the answer is not HTTP" },
}

describe("The upgrade", function()
  local listener, client

  before_each(function() listener = assert(sockets.listen "127.0.0.1") end)
  after_each(function()
    if client then client:close() end
    client = nil
    listener:close()
  end)

  -- A client that tries once, and what became of it; `serve` gets the other end.
  local function try(serve)
    local reasons = {}
    client = wingman.client {
      server = "ws://127.0.0.1:" .. listener.port, start_timeout = PATIENCE, log_to = function() end,
      reconnect = function(_, _, reason)
        reasons[#reasons + 1] = reason
        return nil
      end,
    }
    local starting = loop.spawn(client.start, client)
    local peer
    eventually("the client connects", function()
      peer = peer or listener:accept()
      return peer
    end)
    local request = ""
    eventually("a whole request comes", function()
      request = request .. (peer:read() or "")
      return request:find("\r\n\r\n", 1, true), request
    end)
    serve(peer, request)
    eventually("the end of the connection is noticed", function() return reasons[1] end)
    return client:health().nodes[1], peer, starting
  end

  for _, case in ipairs(answers) do
    it(("is answered by %s: reported, and the socket is closed"):format(case[1]), function()
      local node, peer = try(function(peer) peer:write(case[2]) end)
      assert.equal("upgrade", node.last_reason)
      assert.equal(case[3], client.provider.connections.nodes[1].last_detail)
      assert(peer:is_closed_within(PATIENCE), "the socket stayed open")
    end)
  end

  -- The library of before ended such a process with a signal, in 20 of 20 runs: a part of it
  -- was unloaded while sockets were still to be closed there.
  for _, how in ipairs { "", " unload" } do
    it("has no answer, or half of one, when the process ends, with few descriptors" .. how .. ": it ends in order", function()
      local file = os.tmpname()
      local child = assert(process.spawn {
        file = "sh", stderr = true,
        args = { "-c", ("ulimit -n 64; exec %s run spec/support/odd_states.lua ws://127.0.0.1:%d %s%s"):format(
          process.wingman_path(), listener.port, file, how) },
      })
      local ended, answered, silent, idle = loop.spawn(child.wait, child), 0, {}, 0
      -- What a peer is answered once it has asked; one of eight stays without.
      local function answer(peer)
        answered = answered + 1
        if answered % 8 ~= 0 then peer:write "HTTP/1.1 302 Found\r\nLocation: ws://x/\r\n\r\n" end
      end
      eventually("the process ends", function()
        local peer = listener:accept()
        silent[#silent + 1] = peer
        idle = peer and 0 or idle + 1
        -- Enough of them, or the child has no descriptor left for another.
        if answered >= 120 or (answered > 20 and idle > 300) then os.remove(file) end
        for at = #silent, 1, -1 do
          if silent[at]:read() ~= "" then answer(table.remove(silent, at)) end
        end
        return ended.done, answered
      end)
      local code, signal = ended:wait()
      assert.same({ "whole\n", "" }, { child:read_all(), (child:read_all(nil, "stderr")) })
      assert.same({ 0 }, { code, signal })
      child:close()
    end)
  end
end)
