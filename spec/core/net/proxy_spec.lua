--- Proxies: which way a connection goes, what a proxy is sent, and what an error says of it.
local eventually = require "spec.support.eventually"
local ffi = require "ffi"
local http_proxy = require "spec.support.http_proxy"
local sim = require "wingman.sim"
local wingman = require "wingman"

pcall(ffi.cdef, "int setenv(const char *name, const char *value, int overwrite); int unsetenv(const char *name);")

--- Seconds for what takes milliseconds, on a machine that is busy.
local PATIENCE = 60
local VARIABLES = { "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY" }
--- Nothing listens there.
local DEAD = "http://ann:secret@127.0.0.1:1"

describe("A proxy", function()
  local cluster, proxy, client, before

  local function environment(values)
    for _, name in ipairs(VARIABLES) do ffi.C.unsetenv(name) end
    for name, value in pairs(values) do ffi.C.setenv(name, value, 1) end
  end

  setup(function()
    before = {}
    for _, name in ipairs(VARIABLES) do before[name] = os.getenv(name) end
    cluster = assert(sim.start { nodes = 1 })
  end)
  before_each(function() environment {} end)
  after_each(function()
    if client then client:close() end
    if proxy then proxy:close() end
    client, proxy = nil, nil
  end)
  teardown(function()
    environment(before)
    cluster:stop()
  end)

  local function port_of(url) return tonumber(url:match ":(%d+)") end

  local function start(options)
    local given = { auth = { token = cluster.token }, reconnect = function() return nil end, log_to = function() end,
      start_timeout = PATIENCE, connect_timeout = PATIENCE, auth_timeout = PATIENCE }
    for name, value in pairs(options) do given[name] = value end
    if options.cluster then given.auth = nil end -- it has a token of its own
    client = wingman.client(given)
    return client:start()
  end

  local function write()
    assert(client:map("m"):set("k", 1))
    assert(client:drain(PATIENCE))
  end

  -- A client that tries once and fails: why, and in which words.
  local function failure(options)
    local reason
    options.start_timeout = 0.3
    options.reconnect = function(_, _, why)
      reason = reason or why
      return nil
    end
    local ok, err = start(options)
    assert.is_nil(ok)
    eventually("an attempt has ended", function() return reason, err end)
    assert.is_nil(tostring(err):find("secret", 1, true), tostring(err))
    return reason, client.provider.connections.nodes[1].last_detail
  end

  it("of the option is asked for a tunnel, loopback or not, and shown the token", function()
    proxy = http_proxy.start { target = port_of(cluster.urls[1]) }
    assert(start { server = "ws://cluster.example:9000", proxy = "http://127.0.0.1:" .. proxy.port })
    write()
    assert.equal("CONNECT cluster.example:9000 HTTP/1.1\r\nHost: cluster.example:9000\r\n\r", proxy.requests[1])
    client:close()
    assert(start { server = cluster.urls[1], proxy = "http://127.0.0.1:" .. proxy.port })
    write()
    assert.equal(2, #proxy.requests)
  end)

  it("is shown its user and password, without percent signs", function()
    proxy = http_proxy.start { target = port_of(cluster.urls[1]) }
    assert(start { server = "ws://cluster.example:9000", proxy = ("http://ann:se%%63ret@127.0.0.1:%d/"):format(proxy.port) })
    assert.truthy(proxy.requests[1]:find("Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\n", 1, true), proxy.requests[1])
  end)

  it("that refuses is named, with what it said, escaped", function()
    proxy = http_proxy.start { answer = "HTTP/1.1 407 Proxy \27[1mAuthentication Required\r\n\r\n" }
    local reason, detail = failure { server = "ws://cluster.example:9000", proxy = "http://ann:secret@127.0.0.1:" .. proxy.port }
    assert.equal("proxy", reason)
    assert.equal(("http://127.0.0.1:%d: HTTP 407 Proxy \\x1b[1mAuthentication Required"):format(proxy.port), detail)
  end)

  for what, answer in pairs { ["no HTTP"] = "220 mail\r\n\r\n", ["nothing"] = "", ["endless"] = "HTTP/1.1 200 OK\r\n" .. ("X: y\r\n"):rep(5000) } do
    it(("whose answer is %s is named"):format(what), function()
      proxy = http_proxy.start { answer = answer }
      local reason, detail = failure { server = "ws://cluster.example:9000", proxy = "http://127.0.0.1:" .. proxy.port }
      assert.equal("proxy", reason)
      assert.truthy(detail:find("http://127.0.0.1:" .. proxy.port, 1, true), detail)
    end)
  end

  it("that is not there is named, and its password is not", function()
    local reason, detail = failure { server = "ws://cluster.example:9000", proxy = DEAD }
    assert.equal("proxy", reason)
    assert.equal("http://127.0.0.1:1: connection refused", detail)
    environment { http_proxy = DEAD }
    reason, detail = failure { server = "ws://cluster.example:9000" }
    assert.equal("proxy", reason)
    assert.equal("http://127.0.0.1:1 of http_proxy: connection refused", detail)
  end)

  it("of the environment with an invalid URL is reported with the variable's name", function()
    environment { http_proxy = "socks5://ann:secret@127.0.0.1:1" }
    local reason, detail = failure { server = "ws://cluster.example:9000" }
    assert.equal("proxy", reason)
    assert.equal("http_proxy does not name a proxy as http://host:port", detail)
  end)

  it("of the environment is shown no token on ws://, which it could read", function()
    proxy = http_proxy.start { target = port_of(cluster.urls[1]) }
    environment { http_proxy = "http://127.0.0.1:" .. proxy.port }
    local reason, detail = failure { server = "ws://cluster.example:9000" }
    assert.equal("proxy", reason)
    assert.equal(("http://127.0.0.1:%d of http_proxy would see the token: use wss://, or name the proxy by the option proxy, "
      .. "or the host by no_proxy"):format(proxy.port), detail)
    -- The request for the upgrade and a close frame.
    assert.is_true(proxy.sent[1] < 300, proxy.sent[1] .. " bytes were sent")
  end)

  it("of the environment is shown no query of a ws:// URL, and that of the option is", function()
    proxy = http_proxy.start { target = port_of(cluster.urls[1]) }
    environment { http_proxy = "http://127.0.0.1:" .. proxy.port }
    local reason, detail = failure { server = "ws://cluster.example:9000/?token=secret" }
    assert.equal("proxy", reason)
    assert.equal(("http://127.0.0.1:%d of http_proxy would see the query of the URL, where a token may be: use wss://, or name "
      .. "the proxy by the option proxy, or the host by no_proxy"):format(proxy.port), detail)
    assert.equal(0, #proxy.requests)
    client:close()
    assert(start { server = "ws://cluster.example:9000/?token=secret", proxy = "http://127.0.0.1:" .. proxy.port })
    assert.equal(1, #proxy.requests)
  end)

  it("of the environment has no part in what is on this machine", function()
    environment { http_proxy = DEAD, https_proxy = DEAD, all_proxy = DEAD }
    assert(start { cluster = "sim://1" })
    write()
    client:close()
    assert(start { server = cluster.urls[1] })
    write()
  end)

  it("of the environment is left alone by the option 'none'", function()
    environment { http_proxy = DEAD }
    assert.equal("dns", (failure { server = "ws://nowhere.invalid:9000", proxy = "none" }))
  end)

  local D = DEAD
  -- The variables, the URL, and whether the way leads through the proxy.
  for _, case in ipairs {
    { { http_proxy = D }, "ws://nowhere.invalid:9000", true },
    { { https_proxy = D }, "ws://nowhere.invalid:9000", false },
    { { https_proxy = D }, "wss://nowhere.invalid:9000", true },
    { { HTTPS_PROXY = D }, "wss://nowhere.invalid:9000", true },
    { { HTTP_PROXY = D }, "ws://nowhere.invalid:9000", false },
    { { all_proxy = D }, "ws://nowhere.invalid:9000", true },
    { { ALL_PROXY = D }, "wss://nowhere.invalid:9000", true },
    { { http_proxy = "", ALL_PROXY = D }, "ws://nowhere.invalid:9000", true },
    { { http_proxy = D, no_proxy = "*" }, "ws://nowhere.invalid:9000", false },
    { { http_proxy = D, NO_PROXY = "other, nowhere.invalid" }, "ws://nowhere.invalid:9000", false },
    { { http_proxy = D, no_proxy = "invalid" }, "ws://nowhere.invalid:9000", false },
    { { http_proxy = D, no_proxy = ".INVALID" }, "ws://nowhere.invalid:9000", false },
    { { http_proxy = D, no_proxy = "where.invalid" }, "ws://nowhere.invalid:9000", true },
    { { http_proxy = D, no_proxy = "nowhere.invalid:9000" }, "ws://nowhere.invalid:9000", false },
    { { http_proxy = D, no_proxy = "nowhere.invalid:9001" }, "ws://nowhere.invalid:9000", true },
    { { http_proxy = D, no_proxy = "nowhere.invalid:4294976296" }, "ws://nowhere.invalid:9000", true }, -- 2^32 + 9000
    { { http_proxy = D, no_proxy = "192.0.2.1" }, "ws://192.0.2.1:9000", false },
    { { http_proxy = D, no_proxy = "192.0.2.0/24" }, "ws://192.0.2.1:9000", false },
    { { http_proxy = D, no_proxy = "192.0.2.2/31" }, "ws://192.0.2.1:9000", true },
    { { http_proxy = D, no_proxy = "192.0.2" }, "ws://192.0.2.1:9000", true },
    { { http_proxy = D, no_proxy = "2001:db8::/32" }, "ws://[2001:db8::1]:9000", false },
    { { http_proxy = D, no_proxy = "[2001:db8::1]:9000" }, "ws://[2001:db8::1]:9000", false },
    { { http_proxy = D }, "ws://[2001:db8::1]:9000", true },
    { { http_proxy = D }, "ws://127.1.2.3:1", false },
    { { http_proxy = D }, "ws://[::1]:1", false },
    { { http_proxy = D }, "ws://localhost:1", false },
    { { http_proxy = D }, "ws://LocalHost.:1", false },
    { { http_proxy = D }, "ws://[::ffff:127.0.0.1]:1", false },
    { { http_proxy = D }, "ws://notlocalhost.invalid:1", true },
  } do
    local given = {}
    for name, value in pairs(case[1]) do given[#given + 1] = name .. "=" .. (value == D and "PROXY" or value) end
    table.sort(given)
    it(("with %s leads to %s: %s"):format(table.concat(given, " "), case[2], tostring(case[3])), function()
      environment(case[1])
      local reason = failure { server = case[2], connect_timeout = case[3] and 60 or 0.2 }
      assert.equal(case[3], reason == "proxy", reason)
    end)
  end

  it("that is no URL is refused as an option, without its password", function()
    for _, wrong in ipairs { "ftp://ann:secret@proxy", "http://", "proxy:0", "http://ann:secret@pro xy", "socks5://proxy:1080" } do
      local ok, err = pcall(wingman.client, { server = "ws://127.0.0.1:1", proxy = wrong })
      assert.is_false(ok)
      assert.truthy(tostring(err):find("option proxy: ", 1, true), tostring(err))
      assert.is_nil(tostring(err):find("secret", 1, true), tostring(err))
    end
  end)
end)
