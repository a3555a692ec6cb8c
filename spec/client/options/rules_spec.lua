local options = require "wingman.client.options.rules"
local wingman = require "wingman"

local function refused(given, message)
  local ok, err = pcall(function() local _ = wingman.client(given) end)
  assert.is_false(ok)
  assert.truthy(err:find(message, 1, true), err)
  assert.truthy(err:find("rules_spec", 1, true), "the error points to the caller: " .. err)
end

describe("options", function()
  it("have defaults for everything but the target", function()
    local checked = options.check({ server = "ws://x:1" }, 1)
    assert.equal(5, checked.heartbeat.interval)
    assert.equal("pause", checked.oplog.when_full)
    assert.equal("direct", checked.routing)
    assert.is_false(checked.tls.insecure_skip_verify)
  end)

  it("take the URLs of nodes in one text, as an environment variable has them", function()
    local checked = options.check({ cluster = " ws://a:1, wss://b:2/ws,ws://c:3" }, 1)
    assert.same({ seeds = { "ws://a:1", "wss://b:2/ws", "ws://c:3" } }, checked.cluster)
    assert.equal("sim://3", options.check({ cluster = "sim://3" }, 1).cluster)
  end)

  it("name what is wrong", function()
    local server = "ws://x:1"
    local function client(given) return function() wingman.client(given) end end
    assert.error_matches(client {}, "one of the options server and cluster is needed")
    assert.error_matches(client { server = server, cluster = "sim://3" }, "options cluster and server: one of them, not both")
    assert.error_matches(client { server = "sim://3" }, 'write cluster = "sim://3"', 1, true)
    assert.error_matches(client { server = "topgun://1" }, 'write cluster = "topgun://1"', 1, true)
    assert.error_matches(client { server = server, hart = 1 }, "unknown option 'hart'")
    assert.error_matches(client { server = server, batch = { opps = 1 } }, "wingman.client: unknown option 'batch%.opps'; did you mean 'batch%.ops'%?")
    assert.error_matches(client { server = server, batch = { ops = "many" } }, "option batch%.ops: a number from 1 to 65535 is expected, got 'many'")
    assert.error_matches(client { server = server, batch = { ops = 0 } }, "option batch%.ops: a number from 1 to 65535 is expected, got 0")
    assert.error_matches(client { server = server, batch = { ops = 0 / 0 } }, "option batch%.ops")
    assert.error_matches(client { server = server, hash = "md5" }, "option hash: one of auto, fnv1a, xxh64 is expected, got 'md5'")
    assert.error_matches(client { cluster = { seeds = {} } }, "at least one URL is needed")
    assert.error_matches(client { cluster = { seads = {} } }, "unknown option 'cluster%.seads'; did you mean 'cluster%.seeds'%?")
    assert.error_matches(client { server = server, routing = "fastest" }, "option routing: one of direct, backup, forward or a function is expected, got 'fastest'")
    assert.error_matches(function() wingman.client() end, "a table of options is expected, got nil")
  end)

  it("point to the caller", function() refused({ server = "ws://x:1", hart = 1 }, "unknown option 'hart'") end)

  it("are documented, each of them", function()
    local function check(rules)
      for name, rule in pairs(rules) do
        assert.is_string(rule.about, name)
        if rule.group then check(rule.group) end
      end
    end
    check(options.rules)
  end)
end)
