--- `wingman sim`: its command line.
local load_run = require "spec.support.load_run"
local process = require "wingman.loop.process"

local function start(...)
  return assert(process.spawn { file = process.wingman_path(), args = { "sim", ... }, stdin = true, stderr = true })
end

describe("wingman sim", function()
  after_each(load_run.clean)

  it("refuses what makes no sense, alone and together", function()
    for text, words in pairs {
      ["--nodes: a whole number from 1 to 64 is expected, got 65"] = { "--nodes", "65" },
      ["--dialect: one of v2, 0.11 is expected, got 'v3'; did you mean 'v2'?"] = { "--dialect=v3" },
      ["--hash: fnv1a or xxh64, or one for each node with commas between them, is expected, got 'fnv1a,'"] = { "--hash", "fnv1a," },
      ["--hash: one hash is expected, or one for each node"] = { "--hash", "fnv1a,fnv1a" },
      ["--hash: v2 servers always use fnv1a"] = { "--hash", "xxh64" },
      ["--ports: ports with commas between them are expected, got '1,65536,2'"] = { "--ports", "1,65536,2" },
      ["--ports: one port for each node is expected"] = { "--ports", "0,0" },
      ["--partitions: a whole number from 1 to 1024 is expected, got 0"] = { "--partitions", "0" },
      ["--rate: only v2 servers limit the rate"] = { "--rate", "5", "--dialect", "0.11" },
      ["--event-queue: only v2 servers drop events"] = { "--event-queue", "0", "--dialect", "0.11" },
      ["--spread-ms: v2 nodes change their maps together"] = { "--spread-ms", "5" },
      ["--seed needs a value"] = { "--seed" },
      ["--sink takes no value, got '1'"] = { "--sink=1" },
      ["unknown option '--node'; did you mean '--nodes'?"] = { "--node", "3" },
      ["'3' is no option"] = { "3" },
    } do
      assert.same({ 2, "", ("wingman sim: %s\nsee wingman sim --help\n"):format(text) }, { load_run.finish(start(unpack(words))) })
    end
  end)

  it("runs the nodes of its options, until SIGTERM", function()
    local child = start("--nodes=2", "--dialect", "0.11", "--hash", "fnv1a,xxh64", "--secret", "a secret")
    assert.equal("A simulated TopGun cluster: 2 nodes, as the 0.11 server, keys hashed by mixed.", child:read_line(60))
    local text = {}
    for line in function() return child:read_line(60) end do
      text[#text + 1] = line
      if line:find("Ctrl-C stops it", 1, true) then break end
    end
    assert.truthy(table.concat(text, "\n"):find("secret   a secret\n", 1, true))
    child:kill "SIGTERM"
    assert.equal(0, (child:wait(60)))
    child:close()
  end)

  it("gives each cluster another secret, and a cluster without tokens none", function()
    local function secret_of(...)
      local child = start(...)
      local secret
      for line in function() return child:read_line(60) end do
        secret = secret or line:match "secret   (%x+)$" or line:match "no token is needed"
        if secret then break end
      end
      child:kill "SIGTERM"
      child:wait(60)
      child:close()
      return secret
    end
    local one, other = secret_of "--nodes=1", secret_of "--nodes=1"
    assert.equal(32, #one)
    assert.not_equal(one, other)
    assert.equal("no token is needed", secret_of("--nodes=1", "--no-auth"))
  end)
end)
