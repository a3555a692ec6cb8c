--- What client:start makes of tokens, and of seeds that cannot be reached.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local loop = require "wingman.loop"
local wingman = require "wingman"

clusters.on_each(getfenv(), "client:start", function(shared, it)
  it("refuses a wrong token with an error that does not show it", function()
    local token = core.jwt_sign('{"sub":"x","exp":4000000000}', "not the secret")
    local client = shared:client { auth = { token = token }, start_timeout = 60 }
    local ok, err = client:start()
    assert.is_nil(ok)
    assert.equal("AUTH_FAILED", err.code)
    assert.is_nil(tostring(err):find(token, 1, true))
    for _, line in ipairs(shared.log) do
      for _, value in pairs(line.fields) do assert.is_nil(tostring(value):find(token, 1, true)) end
    end
  end)

  it("asks a token function, which may wait", function()
    local asked = 0
    local client = shared:started { auth = { token = function()
      asked = asked + 1
      loop.sleep(0.01)
      return shared.cluster.token
    end } }
    assert.equal(3, #client:connected_nodes())
    assert.equal(3, asked)
  end)

  it("says what is wrong with a token function", function()
    local client = shared:client { auth = { token = function() error "no token today" end }, start_timeout = 60 }
    local ok, err = client:start()
    assert.is_nil(ok)
    assert.truthy(tostring(err):find("no token today", 1, true))
  end)
end)

describe("client:start", function()
  it("names every seed that cannot be reached", function()
    local client = wingman.client { cluster = { seeds = { "ws://127.0.0.1:1", "ws://127.0.0.1:2/ws" } },
      start_timeout = 0.3, log_to = function() end }
    local ok, err = client:start()
    client:close()
    assert.is_nil(ok)
    assert.equal("NOT_CONNECTED", err.code)
    assert.truthy(err.message:find("ws://127.0.0.1:1", 1, true))
    assert.truthy(err.message:find("ws://127.0.0.1:2/ws", 1, true))
  end)
end)
