local embedded_cluster = require "wingman.testbed"
local eventually = require "spec.support.eventually"
local process = require "wingman.loop.process"
local topgun_binary = require "wingman.testbed.topgun.binary"
local wingman = require "wingman"

--- Seconds for what takes milliseconds on a machine that has time.
local PATIENCE = eventually.PATIENCE

local function refused(url, message)
  local cluster, err = embedded_cluster.start(url)
  assert.is_nil(cluster)
  assert.equal("CLUSTER", err.code)
  assert.truthy(err.message:find(message, 1, true), err.message)
end

describe("embedded cluster", function()
  it("tells its URLs from others", function()
    assert.is_true(embedded_cluster.is_url "sim://3")
    assert.is_true(embedded_cluster.is_url "topgun://1")
    assert.is_false(embedded_cluster.is_url "ws://host:1")
    assert.is_false(embedded_cluster.is_url "nonsense")
  end)

  it("starts with the options of its URL", function()
    local cluster = assert(embedded_cluster.start "sim://2?dialect=0.11&hash=xxh64&partitions=13")
    assert.equal(2, #cluster.urls)
    assert.equal("0.11", cluster.dialect)
    assert.equal("xxh64", cluster.hash)
    local client = wingman.client { cluster = { seeds = cluster.urls }, auth = { token = cluster.token } }
    assert(client:start())
    assert.equal(13, client:partition_map().partition_count)
    client:close()
    cluster:stop()
    cluster:stop()
  end)

  it("names what is wrong with a URL", function()
    refused("sim://0", "option nodes: a whole number from 1 to 64 is expected, got 0")
    refused("sim://65", "a whole number from 1 to 64 is expected, got 65")
    refused("sim://", "the number of nodes is expected")
    refused("sim://x", "the number of nodes is expected")
    refused("sim://3?colour=red", "unknown option 'colour'")
    refused("sim://3?rate=fast", "option rate: a number from 0 to 4294967295 is expected, got 'fast'")
    refused("topgun://3?dialect=v2", "unknown option 'dialect'; there are heartbeats, nodes, storage")
    refused("topgun://3?storage=disk", "option storage: ")
  end)

  it("comes and goes with the client that named it", function()
    local client = wingman.client { cluster = "sim://1" }
    assert(client:start())
    local child = client:cluster().process
    assert.is_number(child.pid)
    local pid = child.pid
    client:close()
    assert.not_equal(0, os.execute(("kill -0 %d 2>/dev/null"):format(pid)))
  end)
end)

-- What is left of a cluster whose script was killed: nothing.
describe("embedded cluster, after SIGKILL of its script,", function()
  local SCRIPT = [[
    local wingman = require "wingman"
    wingman.run(function()
      local cluster = assert(require("wingman.testbed").start(arg[1]))
      print(cluster.folder or "none")
      io.flush()
      if arg[2] == "error" then error "on purpose" end
      wingman.sleep(60)
    end)
  ]]

  -- Processes whose command line or parent chain belongs to this run.
  local function descendants(pid)
    local child = assert(process.spawn { file = "sh", args = { "-c", [[
      find_all() { for p in $(cat /proc/$1/task/*/children 2>/dev/null); do echo $p; find_all $p; done; }
      find_all $1]], "sh", tostring(pid) } })
    local pids = {}
    for line in child:read_all(PATIENCE):gmatch "%d+" do pids[#pids + 1] = tonumber(line) end
    child:close()
    return pids
  end

  local function check(url, least, ending)
    local child = assert(process.spawn { file = process.wingman_path(), args = { "run", "-", url, ending }, stdin = true,
      stderr = true })
    assert(child:write(SCRIPT))
    child:close_stdin()
    local folder = assert(child:read_line(PATIENCE))
    local pids = {}
    if ending == "kill" then
      pids = descendants(child.pid)
      assert.is_true(#pids >= least, #pids .. " processes")
      child:kill "SIGKILL"
    end
    child:wait(PATIENCE)
    child:close()
    eventually("nothing is left of " .. url, function()
      for _, pid in ipairs(pids) do
        if os.execute(("kill -0 %d 2>/dev/null"):format(pid)) == 0 then return false, pid end
      end
      return folder == "none" or os.execute(("test ! -e '%s'"):format(folder)) == 0, folder
    end)
  end

  it("leaves nothing of sim://3", function() check("sim://3", 1, "kill") end)

  local _, missing = topgun_binary.find()
  if missing then
    pending("leaves nothing of topgun://2 (skipped: " .. missing.message .. ")")
  else
    it("leaves nothing of topgun://2", function() check("topgun://2", 6, "kill") end)
    it("leaves nothing of topgun://2 when the script ends by an error", function() check("topgun://2", 6, "error") end)
  end
end)
