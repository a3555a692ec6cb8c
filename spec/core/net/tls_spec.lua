--- wss://: certificates are verified unless that is turned off by name. socat ends
--- the TLS in front of a node of the simulated cluster.
local ffi = require "ffi"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local histogram = require "wingman.histogram"
local http_proxy = require "spec.support.http_proxy"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local sim = require "wingman.sim"
local sockets = require "spec.support.sockets"
local wingman = require "wingman"

pcall(ffi.cdef, "int setenv(const char *name, const char *value, int overwrite); int unsetenv(const char *name);")

local function run(command)
  assert(os.execute("{ " .. command .. "; } >/dev/null 2>&1") == 0, command)
end

describe("wss://", function()
  local folder, cluster, children = nil, nil, {}

  -- A CA, and a certificate of it for a name.
  local function certificate(name, subject, days)
    run(("cd '%s' && openssl req -newkey rsa:2048 -nodes -keyout %s.key -subj /CN=%s -out %s.csr")
      :format(folder, name, name, name))
    run(("cd '%s' && printf 'subjectAltName=%s' > %s.ext"):format(folder, subject, name))
    run(("cd '%s' && openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days %d -extfile %s.ext -out %s.crt && cat %s.crt %s.key > %s.pem")
      :format(folder, name, days or 2, name, name, name, name, name))
  end

  -- The port of a TLS end in front of the cluster's first node.
  local function terminator(name, options)
    local port = sockets.free_tcp_port()
    local child = assert(process.spawn { file = "socat", args = {
      ("OPENSSL-LISTEN:%d,bind=127.0.0.1,cert=%s/%s.pem,%s,fork,reuseaddr"):format(port, folder, name, options or "verify=0"),
      "TCP:" .. cluster.urls[1]:match "//([^/]+)" }, stderr = true })
    children[#children + 1] = child
    eventually("socat opens its port", function()
      return os.execute(("exec 2>/dev/null; bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d'"):format(port)) == 0
    end)
    return port
  end

  local function start(url, tls, resolver)
    local client = wingman.client { server = url, auth = { token = cluster.token }, tls = tls, start_timeout = 60, connect_timeout = 60,
      auth_timeout = 60,
      resolver = resolver, reconnect = function() return nil end, log_to = function() end }
    local ok, err = client:start()
    if ok then
      assert(client:map("m"):set("k", 1))
      assert(client:drain(60))
    end
    client:close()
    return ok, err
  end

  local good, other
  setup(function()
    folder = assert(io.popen "mktemp -d"):read "*l"
    for _, ca in ipairs { "ca", "stranger" } do
      run(("cd '%s' && openssl req -x509 -newkey rsa:2048 -nodes -keyout %s.key -subj /CN=%s -days 2 -out %s.pem")
        :format(folder, ca, ca, ca))
    end
    certificate("good", "DNS:localhost,IP:127.0.0.1")
    certificate("other", "DNS:elsewhere.example")
    certificate("old", "DNS:localhost", -1)
    run(("cd '%s' && openssl req -x509 -newkey rsa:2048 -nodes -keyout own.key -subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2 -out own.crt && cat own.crt own.key > own.pem")
      :format(folder))
    run(("cd '%s' && openssl rsa -in good.key -aes128 -passout pass:secret -out locked.key"):format(folder))
    cluster = assert(sim.start { nodes = 1 })
    good, other = terminator "good", terminator "other"
  end)

  teardown(function()
    for _, child in ipairs(children) do child:close() end
    if cluster then cluster:stop() end
    run("rm -rf '" .. folder .. "'")
  end)

  it("works with the authority that signed the certificate", function()
    assert(start("wss://localhost:" .. good, { ca_file = folder .. "/ca.pem" }))
  end)

  it("refuses a certificate of an authority that is not trusted", function()
    local ok, err = start("wss://localhost:" .. good)
    assert.is_nil(ok)
    assert.truthy(err.message:find("unable to get local issuer certificate", 1, true), err.message)
    ok, err = start("wss://localhost:" .. good, { ca_file = folder .. "/stranger.pem" })
    assert.is_nil(ok)
    assert.truthy(err.message:find("the certificate was refused", 1, true), err.message)
  end)

  it("refuses a certificate for another name", function()
    local ok, err = start("wss://localhost:" .. other, { ca_file = folder .. "/ca.pem" })
    assert.is_nil(ok)
    assert.truthy(err.message:lower():find "hostname mismatch", err.message)
  end)

  it("verifies the name of the URL, whatever address it is resolved to", function()
    local function here() return { "127.0.0.1" } end
    assert(start("wss://elsewhere.example:" .. other, { ca_file = folder .. "/ca.pem" }, here))
    local ok, err = start("wss://wrong.example:" .. other, { ca_file = folder .. "/ca.pem" }, here)
    assert.is_nil(ok)
    assert.truthy(err.message:lower():find "hostname mismatch", err.message)
    -- An address in the certificate is no reason to trust another name.
    ok, err = start("wss://elsewhere.example:" .. good, { ca_file = folder .. "/ca.pem" }, here)
    assert.is_nil(ok)
    assert.truthy(err.message:lower():find "hostname mismatch", err.message)
  end)

  it("takes anything when verification is turned off by name", function()
    assert(start("wss://localhost:" .. other, { insecure_skip_verify = true }))
  end)

  it("says how long the handshakes took, of the whole way to the upgrade", function()
    local function times(url)
      local metrics = core.op_metrics()
      local client = wingman.client { server = url, auth = { token = cluster.token }, tls = { ca_file = folder .. "/ca.pem" } }
      client.core:measure(metrics)
      assert(client:start())
      local connect, tls = histogram.new(60e6, 3), histogram.new(60e6, 3)
      metrics:merge_connections("connect", connect)
      metrics:merge_connections("tls", tls)
      client:close()
      assert.equal(1, connect:count())
      return connect:max(), tls:count(), tls:max()
    end
    local connect_us, count, tls_us = times("wss://localhost:" .. good)
    assert.equal(1, count)
    assert.is_true(tls_us > 200 and tls_us <= connect_us, ("%d of %d us"):format(tls_us, connect_us)) -- an RSA handshake
    assert.equal(0, (select(2, times(cluster.urls[1]))))
  end)

  local function said(url, tls, resolver)
    local ok, err = start(url, tls, resolver)
    assert.is_nil(ok)
    return err.message
  end

  it("says OpenSSL's reasons in words", function()
    local trusted = { ca_file = folder .. "/ca.pem" }
    local function reason(port, name)
      return said(("wss://%s:%d"):format(name or "localhost", port), trusted):match "tls %(the certificate was refused: (.*)%)"
    end
    assert.equal("hostname mismatch: it is for elsewhere.example, not for localhost", reason(other))
    assert.equal("IP address mismatch: it is for elsewhere.example, not for 127.0.0.1", reason(other, "127.0.0.1"))
    assert.equal("certificate has expired", reason(terminator "old"))
    assert.equal("self-signed certificate", reason(terminator "own"))
  end)

  it("takes a CA file that was replaced, from the next connection on", function()
    local path = folder .. "/changing.pem"
    run(("cp %s/stranger.pem %s"):format(folder, path))
    local client = wingman.client { server = "wss://localhost:" .. good, auth = { token = cluster.token }, tls = { ca_file = path },
      start_timeout = 60, reconnect = function() return 0.02 end, log_to = function() end }
    local starting = loop.spawn(client.start, client)
    local function reported(what)
      eventually("the end of a connection says: " .. what, function()
        local detail = client.provider and client.provider.connections.nodes[1].last_detail
        return tostring(detail):find(what, 1, true), detail
      end)
    end
    reported "the certificate was refused"
    run(("echo nothing > %s.new && mv %s.new %s"):format(path, path, path))
    reported "option tls.ca_file: the file has no certificate in PEM form"
    run(("cp %s/ca.pem %s"):format(folder, path))
    assert(starting:wait())
    client:close()
  end)

  it("shows a certificate of its own to a server that asks for one, also one that was replaced", function()
    local port = terminator("good", ("verify=1,cafile=%s/ca.pem"):format(folder))
    local tls = { ca_file = folder .. "/ca.pem", cert_file = folder .. "/me.crt", key_file = folder .. "/me.key" }
    run(("cd '%s' && cp own.pem me.crt && cp own.key me.key"):format(folder))
    assert.truthy(said("wss://localhost:" .. port, tls):find("tls (tlsv1 alert unknown ca)", 1, true))
    run(("cd '%s' && cp other.crt me.crt && cp other.key me.key"):format(folder))
    assert(start("wss://localhost:" .. port, tls))
    local without = said("wss://localhost:" .. port, { ca_file = folder .. "/ca.pem" })
    assert.truthy(without:find("certificate required", 1, true), without)
  end)

  it("tells the server a name in the handshake, and never an address", function()
    local function hello(host)
      local listener = assert(sockets.listen "127.0.0.1")
      local client = wingman.client { server = ("wss://%s:%d"):format(host, listener.port), log_to = function() end,
        resolver = function() return { "127.0.0.1" } end, start_timeout = 60 }
      local starting = loop.spawn(client.start, client)
      local peer, bytes = nil, ""
      eventually("a ClientHello comes", function()
        peer = peer or listener:accept()
        bytes = bytes .. (peer and peer:read() or "")
        return #bytes >= 5 and #bytes >= 5 + bytes:byte(4) * 256 + bytes:byte(5), #bytes
      end)
      client:close()
      starting:wait()
      listener:close()
      return bytes
    end
    local function has_name(bytes, name) -- the extension server_name with one host_name
      local function be16(n) return string.char(math.floor(n / 256), n % 256) end
      return bytes:find("\0\0" .. be16(#name + 5) .. be16(#name + 3) .. "\0" .. be16(#name) .. name, 1, true) ~= nil
    end
    assert.is_true(has_name(hello "some.example", "some.example"))
    assert.is_true(has_name(hello "some.example.", "some.example"))
    local bytes = hello "127.0.0.1"
    assert.is_nil(bytes:find("127.0.0.1", 1, true))
    assert.is_false(has_name(bytes, "127.0.0.1"))
  end)

  it("goes through a proxy of the environment, which sees no token", function()
    local before = os.getenv "https_proxy"
    local proxy = http_proxy.start { target = other }
    ffi.C.setenv("https_proxy", "http://127.0.0.1:" .. proxy.port, 1)
    local ok, err = pcall(start, "wss://elsewhere.example:9000", { ca_file = folder .. "/ca.pem" })
    if before then ffi.C.setenv("https_proxy", before, 1) else ffi.C.unsetenv "https_proxy" end
    proxy:close()
    assert.is_true(ok, tostring(err))
    assert.is_true(err)
    assert.truthy(proxy.requests[1]:find("CONNECT elsewhere.example:9000 ", 1, true), proxy.requests[1])
  end)

  for what, case in pairs {
    ["a CA file without a certificate"] = { { ca_file = "good.key" }, "option tls.ca_file: the file has no certificate in PEM form: '" },
    ["a certificate file without one"] = { { cert_file = "good.key", key_file = "good.key" }, "option tls.cert_file: the file cannot be used: '" },
    ["a key file without one"] = { { cert_file = "good.crt", key_file = "good.crt" }, "option tls.key_file: the file cannot be used: '" },
    ["the key of another certificate"] = { { cert_file = "good.crt", key_file = "other.key" }, "key values mismatch" },
    ["a key with a password"] = { { cert_file = "good.crt", key_file = "locked.key" }, "option tls.key_file: the file cannot be used: '" },
    ["a key file that is not there"] = { { cert_file = "good.crt", key_file = "none.key" }, "No such file or directory" },
    ["a certificate without a key"] = { { cert_file = "good.crt" }, "options tls.cert_file and tls.key_file: " },
    ["a key without a certificate"] = { { key_file = "good.key" }, "options tls.cert_file and tls.key_file: " },
  } do
    it("refuses " .. what .. " as an option", function()
      local tls = {}
      for name, file in pairs(case[1]) do tls[name] = folder .. "/" .. file end
      local ok, err = pcall(start, "wss://localhost:" .. good, tls)
      assert.is_false(ok)
      assert.truthy(tostring(err):find(case[2], 1, true), tostring(err))
    end)
  end

  it("refuses a CA file that cannot be read", function()
    assert.error_matches(function() start("wss://localhost:" .. good, { ca_file = folder .. "/none.pem" }) end,
      "option tls%.ca_file: the file cannot be read: '.*/none%.pem'")
  end)
end)
