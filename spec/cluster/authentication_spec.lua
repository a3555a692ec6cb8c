--- Tokens: asked for again whenever one is needed, never shown again to a node that
--- refused it, never in what is logged.
local cjson = require "cjson"
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local token_source = require "wingman.cluster.token_source"

local PATIENCE = 60

local names = 0

-- A token of its own each time; `seconds` from now it expires.
local function sign(secret, seconds)
  names = names + 1
  return core.jwt_sign(cjson.encode { sub = "user-" .. names, exp = math.ceil(core.wall_ms() / 1000) + (seconds or 3600) }, secret)
end

clusters.on_each(getfenv(), "authentication", function(shared, it)
  local function good(seconds) return sign(shared.cluster.secret, seconds) end
  local function bad() return sign "not the secret" end

  -- A client of the first node alone.
  local function client_of(token, options)
    options = options or {}
    options.cluster, options.endpoint = { seeds = { shared.cluster.urls[1] } }, "seeds"
    options.auth, options.start_timeout = { token = token }, options.start_timeout or 60
    options.reconnect = options.reconnect or function() return 0.01 end
    return shared:client(options)
  end

  local function is_connected(client) return #client:connected_nodes() == 1 end

  -- Breaks the connection off; it comes again.
  local function reconnect(client)
    local connects = client:health().nodes[1].connects
    if shared.is_real then
      client.core:disconnect(0)
      client.provider.connections:handle("lost", 0, "lost", 0, true, "")
    else
      assert(shared.cluster:fault("node-1", "close", 1012))
    end
    eventually("it is connected again", function() return client:health().nodes[1].connects > connects and is_connected(client) end)
  end

  it("asks the token function for every connection", function()
    local given = {}
    local client = client_of(function()
      loop.sleep(0.01)
      given[#given + 1] = good()
      return given[#given]
    end)
    assert(client:start())
    assert.equal(1, #given)
    for i = 2, 4 do
      reconnect(client)
      assert.equal(i, #given)
    end
  end)

  it("asks ahead of exp, and has a valid token when the function fails later", function()
    local asked, fails = 0, false
    local client = client_of(function()
      asked = asked + 1
      if fails then error "the token service is down" end
      return good(3)
    end)
    assert(client:start())
    assert.equal(1, asked)
    eventually("a token is asked for ahead of exp", function() return asked == 2, asked end)
    assert.equal(1, client:health().nodes[1].connects, "the open connection was given up")
    fails = true
    reconnect(client)
    assert.is_true(asked > 2)
    assert.truthy(shared:logged("token_function")[1].error:find("the token service is down", 1, true))
  end)

  it("survives a function that raises, gives nothing, or never answers", function()
    local answers = {
      function() error "the token service is down" end, function() return nil end, function() return "" end,
      function() return 7 end, function() loop.sleep(60) end,
    }
    local asked, reported = 0, {}
    local client = client_of(function()
      asked = asked + 1
      return (answers[asked] or good)()
    end, { auth_timeout = 0.5 })
    client:on("auth_failed", function(err) reported[#reported + 1] = err end)
    local ok, err = client:start()
    assert.is_nil(ok)
    assert.equal("AUTH_FAILED", err.code)
    eventually("it connects when the function has a token", function() return is_connected(client) end)
    assert.is_true(asked > #answers, asked .. " tokens were asked for")
    assert.equal("AUTH_FAILED", reported[1].code)
    assert.truthy(reported[1].message:find("the token service is down", 1, true), reported[1].message)
    assert.equal(reported[1].url, shared.cluster.urls[1])
    assert.is_true(client:stats().losses.auth_failed >= 1)
  end)

  it("says at once that a token is wanted, and which option sets it", function()
    local client = client_of(nil, { start_timeout = 3600 }) -- it does not wait for its end
    local starting = loop.spawn(client.start, client)
    eventually("start() ends, as the server wants a token and there is none", function() return starting.done end)
    local ok, err = starting:wait()
    assert.is_nil(ok)
    assert.equal("AUTH_FAILED", err.code)
    assert.truthy(err.message:find("set the option auth.token", 1, true), err.message)
    assert.truthy(err.message:find("WINGMAN_TOKEN", 1, true), err.message)
    assert.equal(err.message:match "the server asks.*TOKEN", shared:logged("auth_failed")[1].reason)
    client:set_auth_token(good())
    eventually("the new token connects", function() return is_connected(client) end)
  end)

  it("does not show a refused string again, and goes on at once with another", function()
    local reported = {}
    local client = client_of(bad())
    client:on("auth_failed", function(err) reported[#reported + 1] = err end)
    assert.equal("AUTH_FAILED", select(2, client:start()).code)
    assert.equal("auth_failed", client:health().nodes[1].last_reason)
    assert.equal(1, #reported)
    assert.equal(1, client:stats().losses.auth_failed)
    loop.sleep(0.2)
    assert.equal(1, client:stats().losses.auth_failed)
    client:set_auth_token(good())
    eventually("the new token connects", function() return is_connected(client) end)
    assert.equal(1, client:health().nodes[1].connects)
  end)

  it("asks the function again, and connects only when it has another token", function()
    local refused, asked, delays = bad(), 0, 0
    local answer = refused
    local client = client_of(function()
      asked = asked + 1
      return answer
    end, { reconnect = function(_, attempt, reason)
      assert.equal("auth_failed", reason)
      delays = math.max(delays, attempt)
      return 0.01
    end })
    assert.equal("AUTH_FAILED", select(2, client:start()).code)
    eventually("the function is asked again and again", function() return asked >= 8, asked end)
    assert.equal(1, client:stats().losses.auth_failed, "a refused token was shown again")
    assert.is_true(delays > 3, "the policy is not asked")
    answer = good()
    eventually("the new token connects", function() return is_connected(client) end)
  end)

  it("leaves it at the policy's pace when every new token is refused", function()
    local asked = 0
    local client = client_of(function()
      asked = asked + 1
      return bad()
    end, { reconnect = function(_, attempt) return attempt < 4 and 0.01 or nil end, start_timeout = 60 })
    assert.is_nil((client:start()))
    eventually("four tokens are tried", function() return asked >= 4, asked end)
    loop.sleep(0.1)
    assert.equal(4, asked)
    assert.equal(4, client:stats().losses.auth_failed)
    client:set_auth_token(good())
    eventually("the new token connects", function() return is_connected(client) end)
  end)

  it("lets a new token overtake a function that is still thinking", function()
    local thought = loop.future()
    local client = client_of(function()
      thought:wait()
      return bad()
    end)
    local starting = loop.spawn(client.start, client)
    eventually("it authenticates", function() return client.state.current == "AUTHENTICATING", client.state.current end)
    client:set_auth_token(good())
    assert.is_true(starting:wait())
    thought:resolve()
    loop.iterate(0)
    assert.is_nil(client:stats().losses.auth_failed)
  end)
end)

clusters.on_each(getfenv(), "authentication", function(shared, it)
  it("ends with close 4001 on an open connection: not again with that token", function()
    local reported = {}
    local client = shared:started()
    client:on("auth_failed", function(err) reported[#reported + 1] = err.node end)
    assert(client:map(shared:map_name()):set("k", 1))
    assert(shared.cluster:command "expire-tokens")
    eventually("three nodes have refused it", function() return #reported == 3, #reported end)
    table.sort(reported)
    assert.same({ "node-1", "node-2", "node-3" }, reported)
    assert.equal("ERROR", client.state.current)
    loop.sleep(0.1)
    assert.equal(3, client:stats().losses.auth_failed)
    client:set_auth_token(sign(shared.cluster.secret))
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    assert(client:drain(PATIENCE))
  end)

  it("ends with close 4001 where a function has another token: goes on at once", function()
    local client = shared:started {
      auth = { token = function() return sign(shared.cluster.secret) end }, reconnect = function() return 60 end,
    }
    assert(shared.cluster:command "expire-tokens")
    eventually("three connections are refused", function() return client:stats().losses.auth_failed == 3, client:stats().losses.auth_failed end)
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
  end)

  it("keeps tokens out of all that is said, whatever a server or a function repeats", function()
    local said = {}
    local function hear(...)
      for i = 1, select("#", ...) do
        local value = select(i, ...)
        if type(value) == "table" then
          for _, field in pairs(value) do hear(field) end
        else
          said[#said + 1] = tostring(value)
        end
      end
    end
    local opaque = "s3cr3t-token"
    local client = shared:client {
      auth = { token = opaque }, log_to = function(...) hear(...) end, start_timeout = 60,
      cluster = { seeds = { shared.cluster.urls[1] } }, endpoint = "seeds", reconnect = function() return 0.01 end,
    }
    client:on("auth_failed", function(err) hear(err, tostring(err)) end)
    client:on("node_lost", function(node) hear(node) end)
    hear(select(2, client:start()))
    local token = sign(shared.cluster.secret)
    client:set_auth_token(function() return token end)
    eventually("a node is connected", function() return #client:connected_nodes() == 1, client:connected_nodes() end)
    local bytes = core.encode { type = "AUTH_FAIL", error = "no good: " .. token }
    local hex = bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    assert(shared.cluster:command("send node-1 binary " .. hex))
    eventually("a second connection is refused", function() return client:stats().losses.auth_failed == 2, client:stats().losses.auth_failed end)
    client:set_auth_token(function() error("cannot use " .. token) end)
    eventually("the connection that the failing function was asked for ends", function() return client:stats().losses.auth_failed >= 3, client:stats().losses.auth_failed end)
    hear(client:health(), client.provider.connections:reasons())
    local all = table.concat(said, "\n")
    assert.truthy(all:find("no good: (token)", 1, true), all)
    assert.truthy(all:find("cannot use (token)", 1, true), all)
    assert.is_nil(all:find(token, 1, true))
    assert.is_nil(all:find(opaque, 1, true))
  end)
end, { "sim://3", "sim://3?dialect=0.11" })

describe("token source", function()
  it("takes tokens out of texts, opaque ones and pieces of JWTs too", function()
    local source = token_source.new("an%opaque-1", 1, {})
    assert.equal("bad: (token), (token)!", source:scrubbed "bad: an%opaque-1, an%opaque-1!")
    assert.equal("bad: (token)", source:scrubbed("bad: " .. sign("x"):sub(1, 60)))
    assert.equal("nothing here", source:scrubbed "nothing here")
  end)

  it("reads exp, and nothing into what is no JWT", function()
    local expiry = token_source.expiry
    assert.equal(4000000000, expiry(core.jwt_sign('{"sub":"x","exp":4000000000}', "s")))
    assert.equal(4000000000.5, expiry(core.jwt_sign('{"exp":4000000000.5,"sub":"\195\188~~~???"}', "s")))
    assert.is_nil(expiry(core.jwt_sign('{"sub":"x"}', "s")))
    assert.is_nil(expiry(core.jwt_sign('{"exp":"soon"}', "s")))
    for _, text in ipairs { "", "abc", "a.b", "a.b.c", "..", "a.!!!.c", "a.e30.c", "a.bnVsbA.c", "a.W10.c" } do
      assert.is_nil(expiry(text), text)
    end
  end)
end)
