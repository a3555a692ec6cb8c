local endpoint = require "wingman.policy.endpoint"

describe("endpoint policy auto", function()
  local seeds = { "ws://a:1" }

  it("takes an advertised address that can be one", function()
    assert.equal("ws://10.0.0.1:9000", endpoint.auto("node-1", "ws://10.0.0.1:9000", seeds))
    assert.equal("ws://host", endpoint.auto("node-1", "ws://host", seeds))
  end)

  it("refuses what the 0.11 server gives for nodes that it does not know", function()
    assert.is_nil(endpoint.auto("node-1", "ws://unknown:0", seeds))
    assert.is_nil(endpoint.auto("node-1", "", seeds))
    assert.is_nil(endpoint.auto("node-1", nil, seeds))
  end)

  it("does not leave TLS when all seeds use it", function()
    assert.equal("wss://h:1", endpoint.auto("node-1", "ws://h:1", { "wss://a:1", "wss://b:1" }))
    assert.equal("ws://h:1", endpoint.auto("node-1", "ws://h:1", { "wss://a:1", "ws://b:1" }))
  end)
end)

describe("endpoint policies", function()
  it("seeds and map say where nodes are, and nothing else", function()
    assert.is_nil(endpoint.seeds("node-1", "ws://h:1", {}))
    local resolve = endpoint.map { ["node-1"] = "ws://x:1" }
    assert.equal("ws://x:1", resolve("node-1", "ws://h:1", {}))
    assert.is_nil(resolve("node-2", "ws://h:1", {}))
  end)
end)
