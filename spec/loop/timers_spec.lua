--- Timers by due time, without a loop or a clock.
local timers_module = require "wingman.loop.timers"

-- Numbers from 0 to n - 1, the same in each run.
local function random_numbers()
  local state = 42
  return function(n)
    state = (state * 16807) % 2147483647
    return state % n
  end
end

describe("a heap of timers", function()
  it("has the soonest first, whatever is added and cancelled", function()
    local heap, below, waiting = timers_module.new(), random_numbers(), {}
    for _ = 1, 2000 do
      if below(3) > 0 then
        waiting[#waiting + 1] = heap:add { due = below(50), fn = print, arg = 1, index = false }
      elseif #waiting > 0 then
        table.remove(waiting, below(#waiting) + 1):cancel()
      end
      local soonest
      for _, timer in ipairs(waiting) do soonest = math.min(soonest or timer.due, timer.due) end
      assert.equal(#waiting, #heap)
      assert.equal(soonest, heap[1] and heap[1].due)
    end
  end)

  it("holds nothing of a cancelled timer, and cancels it twice", function()
    local heap = timers_module.new()
    local first, second = heap:add { due = 1, fn = print, arg = {}, index = false }, heap:add { due = 2, fn = print, index = false }
    first:cancel()
    first:cancel()
    assert.same({ 1, second.due }, { #heap, heap[1].due })
    assert.same({}, { first.fn, first.arg, first.index or nil })
    heap:clear()
    assert.equal(0, #heap)
    assert.is_nil(second.fn)
  end)
end)
