--- Where a cluster is: what makes no sense is refused before anything is dialled, by every
--- command and script alike.
local cluster_url = require "wingman.client.options.cluster_url"
local process = require "wingman.loop.process"
local wingman = require "wingman"

local WRONG = {
  ["ftp://x"] = "'ftp://x' is no cluster URL",
  ["sim://x"] = "'sim://x': the number of nodes is expected",
  ["sim://0"] = "'sim://0': option nodes: a whole number from 1 to 64 is expected, got 0",
  ["sim://3?colour=red"] = "unknown option 'colour'",
  ["ws://"] = "'ws://' is no URL of a node",
  ["ws://a:9000,ws://b:99999"] = "'ws://b:99999' is no URL of a node",
  ["ws://a:9000 b:9001"] = "'b:9001' is no URL of a node",
  ["ws://ann:secret@a"] = "a URL has a user, 'ws://***@a'",
  ["ws://a?token=sec,ret"] = "what stands behind 'ws://a?token=***' has no scheme: write %2C for a comma in a query",
  ["ws://b,ws://a?token=sec ret:9"] = "what stands behind 'ws://a?token=***' has no scheme",
  [""] = "'' is no cluster URL",
  ["no\27URL"] = "'no\\027URL' is no cluster URL",
}

describe("The URL of a cluster", function()
  it("is sim://N, topgun://N or the URLs of nodes", function()
    for _, right in ipairs { "sim://3", "sim://1?dialect=0.11", "topgun://3", "ws://a", "wss://a:1/ws", "ws://a?k=1%2C2, ws://b?k=3", " ws://a, ws://[::1]:9000" } do
      assert.same({ true }, { cluster_url.check(right) }, right)
    end
  end)

  it("is refused with what is wrong with it", function()
    for text, message in pairs(WRONG) do
      local ok, wrong = cluster_url.check(text)
      assert.is_nil(ok, text)
      assert.truthy(wrong:find(message, 1, true), wrong)
      assert.is_nil(wrong:find("%f[%a]ret%f[%A]"), wrong)
    end
  end)

  it("is refused by a client, as an option", function()
    for text, message in pairs(WRONG) do
      local ok, wrong = pcall(wingman.client, { cluster = text, log_to = function() end })
      assert.is_false(ok, text)
      assert.truthy(wrong:find(message, 1, true), wrong)
    end
    for _, given in ipairs { { server = "http://x" }, { cluster = { seeds = { "http://x" } } }, { cluster = { nodes = { n = "http://x" } } } } do
      local ok, wrong = pcall(wingman.client, given)
      assert.is_false(ok)
      assert.truthy(wrong:find("'http://x' is no URL of a node", 1, true), wrong)
    end
    assert.error_matches(function() wingman.client { cluster = { seeds = { 3 } } } end, "the URL of a node is expected, got number")
  end)
end)

describe("A wrong URL of a cluster ends with 2, without a traceback,", function()
  local function ends(args, url, message)
    local child = assert(process.spawn { file = process.wingman_path(), args = args, stderr = true, env = { WINGMAN_CLUSTER = url } })
    local said = child:read_all(30) .. child:read_all(30, "stderr")
    local code, signal = child:wait(30)
    child:close()
    assert.same({ 2 }, { signal or code }, said)
    assert.truthy(said:find(message, 1, true), said)
    assert.is_nil(said:find("traceback", 1, true), said)
  end

  local ANY = { ["ftp://x"] = "'ftp://x'", ["sim://x"] = "'sim://x'", ["ws://"] = "'ws://'" }
  local commands = {
    ["wingman probe"] = { "probe", "URL" }, ["wingman repl"] = { "repl", "-e", "1", "URL" },
    ["wingman bench"] = { "bench", "--duration", "10ms", "URL" }, ["wingman ctl"] = { "ctl", "URL", "status" },
    ["quickstart.lua"] = { "run", "scripts/quickstart.lua", "--cluster", "URL" },
    ["soak.lua"] = { "run", "scripts/soak.lua", "--cluster", "URL" },
    ["chaos.lua"] = { "run", "scripts/chaos.lua", "--cluster", "URL" },
    ["bench/failover.lua"] = { "run", "scripts/bench/failover.lua", "--cluster", "URL" },
    ["bench/replica.lua"] = { "run", "scripts/bench/replica.lua", "--cluster", "URL" },
    ["bench/reads.lua"] = { "run", "scripts/bench/reads.lua", "--cluster", "URL" },
    ["a load test"] = { "run", "scripts/load/smoke.lua" },
  }
  for name, words in pairs(commands) do
    it("given to " .. name, function()
      for url, message in pairs(ANY) do
        local args = {}
        for i, word in ipairs(words) do args[i] = word == "URL" and url or word end
        ends(args, url, message)
      end
    end)
  end
end)
