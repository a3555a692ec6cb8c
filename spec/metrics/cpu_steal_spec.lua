--- Processor time that the host of a virtual machine took.
local load_run = require "spec.support.load_run"
local cpu_steal = require "wingman.metrics.cpu_steal"

local function rewrite(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

describe("CPU steal", function()
  after_each(load_run.clean)

  it("is a share of the time of all processors, since one began to look", function()
    -- user nice system idle iowait irq softirq steal guest guest_nice
    local path = load_run.file "cpu  1000 10 300 5000 5 0 20 40 7 1\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
    local share = cpu_steal.since_now(path)
    assert.is_nil(share())
    rewrite(path, "cpu  1100 10 350 5030 5 0 20 60 9 1\n")
    assert.equal(20 / 200, share())
    rewrite(path, "cpu  1100 10 350 5030 5 0 20 60 900 100\n") -- guests are in the others
    assert.equal(20 / 200, share())
  end)

  it("is not known where the system does not tell", function()
    assert.is_nil(cpu_steal.since_now "/nowhere"())
    assert.is_nil(cpu_steal.since_now(load_run.file "cpu  1 2 3 4\n")())
    assert.is_nil(cpu_steal.since_now(load_run.file "")())
  end)
end)
