--- Rows in order while they come and go, against a list that is sorted anew each time.
local random = require "wingman.base.random"
local ranking = require "wingman.client.live.ranking"

local SEED = tonumber(os.getenv "WINGMAN_SEED") or 5

local function is_before(a, b)
  if a.value ~= b.value then return a.value < b.value end
  return a.key < b.key
end

local function place_of(list, row)
  for i, other in ipairs(list) do
    if other == row then return i end
  end
end

describe("a ranking", function()
  it(("has the rows in order, and says at which index each came and went, seed %d"):format(SEED), function()
    local generator, rows, plain = random.new(SEED, 0), ranking.new(is_before), {}
    for i = 1, 3000 do
      if #plain > 0 and generator:int(1, i < 2000 and 4 or 2) == 1 then
        local place = generator:int(1, #plain)
        assert.equal(place, rows:remove(table.remove(plain, place)))
      else
        local row = { key = "k" .. i, value = generator:int(1, 50) }
        local place = ranking.place_in(plain, row, is_before)
        table.insert(plain, place, row)
        assert.equal(place, rows:add(row))
      end
      assert.equal(#plain, rows.count)
    end
    assert.is_true(#plain > 600, "more than one block: " .. #plain)
    local sorted = { unpack(plain) }
    table.sort(sorted, is_before)
    for i, row in ipairs(rows:slice(1, math.huge)) do
      assert.equal(sorted[i], row)
      assert.equal(i, place_of(plain, row))
    end
    assert.equal(#plain, #rows:slice(1, math.huge))
    local from = 500
    for i, row in ipairs(rows:slice(from, from + 99)) do assert.equal(sorted[from + i - 1], row) end
    for _, row in ipairs(sorted) do assert.equal(1, rows:remove(row)) end
    assert.same({}, rows:slice(1, math.huge))
  end)
end)
