--- The clock that goes by the processor's counter tells what the kernel's tells.
local ffi = require "ffi"
local core = require "wingman.core"
local loop = require "wingman.loop"
local steps = require "spec.support.steps"

pcall(ffi.cdef, "uint64_t wm_now_us(void);")
local C = ffi.load(core.path)

local function now_us() return tonumber(C.wm_now_us()) end

describe("the monotonic clock", function()
  -- How far it is from the kernel's, of readings that nothing came between.
  local function offset()
    local best, between = nil, math.huge
    for _ = 1, 50 do
      local before, here, after = steps.now(), now_us(), steps.now()
      if after - before < between then best, between = here - (before + after) / 2, after - before end
    end
    return best, between
  end

  it("is the kernel's, to 5 us, for seconds", function()
    local until_us = steps.now() + 2e6
    local n = 0
    while steps.now() < until_us do
      local off, between = offset()
      assert.is_true(math.abs(off) <= 5 + between / 2, ("%.1f us off, read in %.1f us"):format(off, between))
      n = n + 1
    end
    assert.is_true(n > 100, tostring(n))
  end)

  it("never goes back", function()
    local last, until_us = now_us(), steps.now() + 1e6
    while steps.now() < until_us do
      for _ = 1, 1000 do
        local now = now_us()
        if now < last then error(("%d us back"):format(last - now)) end
        last = now
      end
    end
  end)

  it("is right after a second without being asked", function()
    now_us()
    loop.sleep(1.2)
    local off, between = offset()
    assert.is_true(math.abs(off) <= 5 + between / 2, ("%.1f us off"):format(off))
  end)
end)
