--- wss://: certificates are verified unless that is turned off by name. socat ends
--- the TLS in front of a node of the simulated cluster.
local cjson = require "cjson"
local core = require "wingman.core"
local histogram = require "wingman.histogram"
local loop = require "wingman.loop"
local process = require "wingman.process"
local sim = require "wingman.sim"
local wingman = require "wingman"

local function run(command)
  assert(os.execute("{ " .. command .. "; } >/dev/null 2>&1") == 0, command)
end

-- A port that is free now.
local function free_port()
  local relay = assert(process.spawn { file = process.wingman_path(), args = { "relay", "1" }, stdin = true })
  local ports = cjson.decode((assert(relay:read_line(5)))).ports
  relay:close()
  return ports[1].target
end

describe("wss://", function()
  local folder, cluster, children = nil, nil, {}

  -- A CA, and a certificate of it for a name.
  local function certificate(name, subject)
    run(("cd '%s' && openssl req -newkey rsa:2048 -nodes -keyout %s.key -subj /CN=%s -out %s.csr")
      :format(folder, name, name, name))
    run(("cd '%s' && printf 'subjectAltName=%s' > %s.ext"):format(folder, subject, name))
    run(("cd '%s' && openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile %s.ext -out %s.crt && cat %s.crt %s.key > %s.pem")
      :format(folder, name, name, name, name, name, name))
  end

  -- The port of a TLS end in front of the cluster's first node.
  local function terminator(name)
    local port = free_port()
    local child = assert(process.spawn { file = "socat", args = {
      ("OPENSSL-LISTEN:%d,bind=127.0.0.1,cert=%s/%s.pem,verify=0,fork,reuseaddr"):format(port, folder, name),
      "TCP:" .. cluster.urls[1]:match "//([^/]+)" }, stderr = true })
    children[#children + 1] = child
    assert(loop.wait_until(function()
      return os.execute(("exec 2>/dev/null; bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d'"):format(port)) == 0
    end, 5), "socat did not open its port")
    return port
  end

  local function start(url, tls, resolver)
    local client = wingman.client { server = url, auth = { token = cluster.token }, tls = tls, start_timeout = 2,
      resolver = resolver, reconnect = function() return nil end, log_to = function() end }
    local ok, err = client:start()
    if ok then
      assert(client:map("m"):set("k", 1))
      assert(client:drain(5))
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

  it("refuses a CA file that cannot be read", function()
    assert.error_matches(function() start("wss://localhost:" .. good, { ca_file = folder .. "/none.pem" }) end,
      "option tls%.ca_file: the file cannot be read: '.*/none%.pem'")
  end)
end)
