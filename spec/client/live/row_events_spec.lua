--- The changes of a list, reported one by one.
local random = require "wingman.base.random"
local row_events = require "wingman.client.live.row_events"

local SEED = tonumber(os.getenv "WINGMAN_SEED") or 5

local function is_before(a, b)
  if a.value ~= b.value then return a.value < b.value end
  return a.key < b.key
end

local function keys_of(rows)
  local keys = {}
  for i, row in ipairs(rows) do keys[i] = row.key .. "=" .. row.value end
  return table.concat(keys, " ")
end

-- Some rows go, some come, some have another value.
local function changed(rows, below)
  local next_rows, taken = {}, {}
  for _, row in ipairs(rows) do
    local dice = below(4)
    if dice == 2 then row = { key = row.key, value = below(30) } end
    if dice > 1 then next_rows[#next_rows + 1] = row end
    taken[row.key] = true
  end
  for _ = 1, below(6) - 1 do
    local key = "k" .. below(40)
    if not taken[key] then next_rows[#next_rows + 1] = { key = key, value = below(30) } end
    taken[key] = true
  end
  table.sort(next_rows, is_before)
  return next_rows
end

local appliers = {
  leave = function(list, row, index) assert.equal(row, table.remove(list, index)) end,
  enter = function(list, row, index) table.insert(list, index, row) end,
  update = function(list, row, index)
    for i, other in ipairs(list) do
      if other.key == row.key then table.remove(list, i) break end
    end
    table.insert(list, index, row)
  end,
}

describe("row events", function()
  it(("makes a list what it is to be, each key once, also when it ends early, seed %d"):format(SEED), function()
    local generator = random.new(SEED, 0)
    local function below(n) return generator:int(1, n) end
    local reported, list, target, early = {}, {}, {}, 0
    for _ = 1, 500 do
      target = changed(target, below)
      repeat
        local seen, most = {}, below(8)
        local is_left = row_events.pass(reported, target, function(change, row, index)
          assert.is_nil(seen[row.key], row.key .. " is reported twice")
          seen[row.key] = true
          appliers[change](list, row, index)
          most = most - 1
          assert.equal(keys_of(reported), keys_of(list))
          return most == 0
        end)
        early = early + (is_left and 1 or 0)
        if is_left and below(2) == 1 then target = changed(target, below) end
      until not is_left
      assert.equal(keys_of(target), keys_of(list))
    end
    assert.is_true(early > 50, early)
  end)

  it("says nothing when nothing has changed", function()
    local rows = { { key = "a", value = 1 }, { key = "b", value = 2 } }
    local reported = { unpack(rows) }
    assert.is_false(row_events.pass(reported, rows, function() error "reported" end))
  end)
end)
