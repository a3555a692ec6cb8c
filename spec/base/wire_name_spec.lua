--- Names that travel as MessagePack strings are refused where they are given when they are
--- not valid UTF-8; what was given beside them goes on.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local wingman = require "wingman"
local wire_name = require "wingman.base.wire_name"

local PATIENCE = 60
--- Latin-1, a cut sequence, a surrogate, an overlong form, one beyond U+10FFFF; the last with
--- enough ASCII in front for the checks that look at several bytes at once.
local NOT_UTF8 = { "caf\xe9", "\xe2\x82", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "player:00001\xff" }
local UTF8 = { "café", "€", "\240\159\152\128", "player:00001", "\0", "\xef\xbf\xbf" }

describe("a name that travels as a string", function()
  local client
  before_each(function() client = wingman.client { server = "ws://127.0.0.1:1", log_to = function() end } end)
  after_each(function() client:close() end)

  it("is a key that is valid UTF-8, or nothing is recorded", function()
    local map = client:map "m"
    local writes = {
      set = function(key) return map:set(key, { v = 1 }) end,
      ["set of a scalar"] = function(key) return map:set(key, 1) end,
      remove = function(key) return map:remove(key) end,
      resend = function(key) return map:resend(key) end,
    }
    assert(map:set("shape", { v = 0 })) -- the way of a flat table is learnt
    for what, write in pairs(writes) do
      for _, key in ipairs(NOT_UTF8) do
        local seq, err = write(key)
        assert.is_nil(seq, what)
        assert.same({ "NOT_ENCODABLE", "m", key }, { err.code, err.map, err.key }, what)
        assert.truthy(err.message:find(("key %s: the key is not valid UTF-8"):format(wire_name.shown(key)), 1, true), err.message)
        assert.truthy(core.utf8_valid(tostring(err)), "the message is not escaped")
        assert.is_nil(map:get(key))
      end
    end
    for _, key in ipairs(UTF8) do assert(map:set(key, { v = 1 })) end
    assert.equal(1 + #UTF8, client:pending_ops())
  end)

  it("is refused with the hash of 0.11, too", function()
    client.core:set_hash "xxh64"
    assert.equal("NOT_ENCODABLE", select(2, client:map("m"):set("caf\xe9", 1)).code)
  end)

  it("is a map's name that is valid UTF-8, wherever a map is named", function()
    local calls = {
      map = function(name) client:map(name) end,
      query = function(name) client:query(name) end,
      holdings = function(name) client:holdings("node-1", name) end,
      repair = function(name) client:repair(name) end,
    }
    for what, call in pairs(calls) do
      for _, name in ipairs(NOT_UTF8) do
        local ok, message = pcall(call, name)
        assert.is_false(ok, what)
        local expected = ("client:%s: the map's name %s is not valid UTF-8"):format(what, wire_name.shown(name))
        assert.truthy(message:find(expected, 1, true), message)
        assert.truthy(message:find("wire_name_spec", 1, true), "it does not point to the caller: " .. message)
      end
    end
    for _, name in ipairs(UTF8) do assert.equal(name, client:map(name).name) end
  end)

  it("is an option, a token or the key of a message that is valid UTF-8", function()
    for _, name in ipairs { "client_id", "probe_map" } do
      local options = { server = "ws://127.0.0.1:1", [name] = "caf\xe9" }
      assert.error_matches(function() wingman.client(options) end, "option " .. name .. ": 'caf\\233' is not valid UTF%-8")
    end
    local secret = "secret\xe9"
    for message, call in pairs {
      ["option auth.token: it is not valid UTF-8"] = function() wingman.client { server = "ws://127.0.0.1:1", auth = { token = secret } } end,
      ["set_auth_token: the token is not valid UTF-8"] = function() client:set_auth_token(secret) end,
    } do
      local ok, raised = pcall(call)
      assert.is_false(ok)
      assert.truthy(raised:find(message, 1, true), raised)
      assert.is_nil(raised:find("secret", 1, true))
    end
    local sent, err = client:send_with_retry({ type = "PING" }, "caf\xe9")
    assert.is_nil(sent)
    assert.same({ "NOT_ENCODABLE", false }, { err.code, err.retriable })
    assert.truthy(err.message:find("'caf\\233'", 1, true), err.message)
  end)

  it("is shown escaped, and cut when it is long", function()
    assert.equal("'caf\\233'", wire_name.shown "caf\xe9")
    assert.equal("'\\027[31m'", wire_name.shown "\27[31m")
    assert.equal(("'%s'... (65535 bytes)"):format(("k"):rep(100)), wire_name.shown(("k"):rep(65535)))
  end)
end)

clusters.on_each(getfenv(), "a token that is not valid UTF-8", function(shared, it)
  it("is shown to no server", function()
    local client = shared:client { start_timeout = 0.3, auth = { token = function() return "secret\xe9" end } }
    local ok, err = client:start()
    assert.is_nil(ok)
    assert.truthy(err.message:find("what the function returned is not valid UTF-8", 1, true), err.message)
    assert.is_nil(err.message:find("secret", 1, true))
  end)
end, { "sim://1", "sim://1?dialect=0.11" })

clusters.on_each(getfenv(), "a key that is not valid UTF-8", function(shared, it)
  it("does not keep the others from being stored", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    for i = 1, 200 do
      assert(map:set("good" .. i, { v = i }))
      if i % 50 == 0 then assert.is_nil((map:set("caf\xe9" .. i, { v = i }))) end
    end
    assert(client:drain(PATIENCE))
    local stored = 0
    for key in pairs(shared:values(client, map.name)) do
      assert.truthy(key:find "^good%d+$", key)
      stored = stored + 1
    end
    assert.equal(200, stored)
  end)
end)
