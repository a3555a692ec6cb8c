--- Key choosers and random numbers: distributions, seeds, shards.
local keys = require "wingman.load.input.keys"
local random = require "wingman.base.random"

local WHOLE = { index = 0, count = 1 }
local SEED = 20260401

local function user(stream) return { rng = random.new(SEED, stream or 1) } end

local function draw(options, n, vu, shard)
  local chooser = keys.new(options, shard or WHOLE, "keys")
  local seen = {}
  vu = vu or user()
  for i = 1, n do
    local key = chooser.next(vu)
    seen[i] = tonumber(key:match "^key%-(%d+)$")
  end
  return seen, chooser
end

local function counts(list)
  local count = {}
  for _, k in ipairs(list) do count[k] = (count[k] or 0) + 1 end
  return count
end

describe("random numbers", function()
  it("are the same for the same seed and user, and others for others", function()
    local a, b, c, d = random.new(7, 3), random.new(7, 3), random.new(7, 4), random.new(8, 3)
    local same_user, same_seed = 0, 0
    for _ = 1, 100 do
      local x = a:float()
      assert.equal(x, b:float())
      if x == c:float() then same_user = same_user + 1 end
      if x == d:float() then same_seed = same_seed + 1 end
    end
    assert.equal(0, same_user)
    assert.equal(0, same_seed)
  end)

  it("are even: chi squared over 100 cells, for many streams", function()
    for stream = 1, 20 do
      local rng, cells, n = random.new(SEED, stream), {}, 100000
      for i = 1, 100 do cells[i] = 0 end
      for _ = 1, n do
        local i = rng:int(1, 100)
        cells[i] = cells[i] + 1
      end
      local chi = 0
      for i = 1, 100 do chi = chi + (cells[i] - n / 100) ^ 2 / (n / 100) end
      assert.is_true(chi < 170, ("stream %d: %.1f"):format(stream, chi)) -- 99 degrees: p < 1e-5
    end
  end)

  it("do not follow from those of the next stream", function()
    local sum, n = 0, 50000
    for stream = 1, n do sum = sum + (random.new(SEED, stream):float() - 0.5) * (random.new(SEED, stream + 1):float() - 0.5) end
    assert.is_true(math.abs(sum / n) < 0.002, tostring(sum / n))
  end)

  it("of a normal distribution have its mean and deviation", function()
    local rng, sum, squares, n = random.new(SEED, 1), 0, 0, 100000
    for _ = 1, n do
      local x = rng:normal()
      sum, squares = sum + x, squares + x * x
    end
    assert.near(0, sum / n, 0.02)
    assert.near(1, squares / n, 0.03)
  end)
end)

describe("a permutation", function()
  it("has every number once, and few where they were", function()
    for _, count in ipairs { 1, 2, 3, 7, 8, 9, 100, 1000, 1023, 1024, 1025, 65537, 300000 } do
      local permuted, seen, fixed = random.permutation(count), {}, 0
      for i = 0, count - 1 do
        local to = permuted(i)
        assert.is_true(to >= 0 and to < count and to % 1 == 0 and not seen[to], ("%d: %d -> %s"):format(count, i, tostring(to)))
        seen[to] = true
        if to == i then fixed = fixed + 1 end
      end
      assert.is_true(count < 100 or fixed < 10, ("%d of %d"):format(fixed, count))
    end
    local largest = random.permutation(2 ^ 31)
    for _, i in ipairs { 0, 1, 2 ^ 31 - 1 } do assert.is_true(largest(i) >= 0 and largest(i) < 2 ^ 31) end
  end)

  it("keeps no neighbours together", function()
    local permuted, near = random.permutation(10000), 0
    for i = 1, 9999 do
      if math.abs(permuted(i) - permuted(i - 1)) < 100 then near = near + 1 end
    end
    assert.is_true(near < 400, tostring(near)) -- 2 % by chance
  end)
end)

describe("a key chooser", function()
  it("draws evenly", function()
    local count = counts(draw({ count = 50, distribution = "uniform" }, 100000))
    for k = 1, 50 do assert.near(2000, count[k], 300, "key " .. k) end
  end)

  it("draws by Zipf's law", function()
    local n, theta = 200000, 0.99
    local count = counts(draw({ count = 1000, distribution = "zipf", scrambled = false, theta = theta }, n))
    local zeta = 0
    for i = 1, 1000 do zeta = zeta + 1 / i ^ theta end
    for _, rank in ipairs { 1, 2, 10, 100 } do
      local expected = n / zeta / rank ^ theta
      assert.near(expected, count[rank], expected * 0.15 + 30, "rank " .. rank)
    end
  end)

  it("scatters the frequent keys unless an option says otherwise", function()
    local count = counts(draw({ count = 1000, distribution = "zipf" }, 100000))
    local most, times = nil, 0
    for k, n in pairs(count) do
      assert.is_true(k >= 1 and k <= 1000)
      if n > times then most, times = k, n end
    end
    assert.is_true(times > 10000)
    assert.are_not.equal(1, most)
  end)

  it("reaches every key by Zipf's law, as often as its rank says", function()
    local n = 200000
    local plain = counts(draw({ count = 1000, distribution = "zipf", scrambled = false }, n))
    local scattered = counts(draw({ count = 1000, distribution = "zipf" }, n))
    local a, b = {}, {}
    for k = 1, 1000 do a[k], b[k] = plain[k] or 0, scattered[k] or 0 end
    table.sort(a)
    table.sort(b)
    assert.same(a, b) -- the same draws, of other keys
    assert.is_true(b[1] > 0, "a key was never drawn")
  end)

  it("prefers the latest, and knows new ones", function()
    local list, chooser = draw({ count = 100, distribution = "latest" }, 10000)
    local count = counts(list)
    assert.is_true(count[100] > count[50] * 5)
    local key, number = chooser.reserve()
    assert.equal("key-101", key)
    chooser.settle(number, true)
    local vu, newest = user(), 0
    for _ = 1, 1000 do
      if chooser.next(vu) == "key-101" then newest = newest + 1 end
    end
    assert.is_true(newest > 100, tostring(newest))
  end)

  it("chooses no new key that is not there yet, or whose predecessor is not", function()
    local chooser, vu = keys.new({ count = 10, distribution = "latest" }, WHOLE, "keys"), user()
    local function newest()
      local most = 0
      for _ = 1, 500 do most = math.max(most, tonumber(chooser.next(vu):match "%d+")) end
      return most
    end
    local numbers = {}
    for i = 1, 3 do numbers[i] = select(2, chooser.reserve()) end
    assert.equal(10, newest())
    chooser.settle(numbers[2], true)
    assert.equal(10, newest())
    chooser.settle(numbers[1], true)
    assert.equal(12, newest())
    chooser.settle(numbers[3], false) -- its write failed: the key is used again
    assert.same({ "key-13", numbers[3] }, { chooser.reserve() })
    chooser.settle(numbers[3], true)
    assert.equal(13, newest())
    assert.equal("key-14", (chooser.reserve()))
  end)

  it("goes through all in order, and shards take turns", function()
    assert.same({ 1, 2, 3, 4, 1, 2 }, (draw({ count = 4, distribution = "sequential" }, 6)))
    local all = {}
    for index = 0, 2 do
      for _, k in ipairs((draw({ count = 9, distribution = "sequential" }, 3, nil, { index = index, count = 3 }))) do
        all[#all + 1] = k
      end
    end
    table.sort(all)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, all)
  end)

  it("makes new keys that no other shard makes", function()
    local seen = {}
    for index = 0, 3 do
      local chooser = keys.new({ count = 10, distribution = "latest" }, { index = index, count = 4 }, "keys")
      for _ = 1, 5 do
        local key = chooser.reserve()
        assert.is_nil(seen[key])
        seen[key] = true
        assert.is_true(tonumber(key:match "%d+") > 10)
      end
    end
  end)

  it("names what is wrong", function()
    for _, case in ipairs {
      { { count = 0 }, "keys: option count: a whole number from 1 is expected, got 0" }, { { count = 2 ^ 32, distribution = "zipf" }, "keys: option count: at most 2147483648 keys" }, { { distribution = "pareto" }, "option distribution: one of uniform, zipf, latest, sequential is expected, got 'pareto'" }, { { theta = 1 }, "keys: option theta: a number" },
      { { size = 3 }, "unknown option 'size'" }, { { count = "10" }, "keys: option count: a whole number from 1 is expected, got '10'" },
    } do
      local ok, err = pcall(keys.new, case[1], WHOLE, "keys")
      assert.is_false(ok)
      assert.truthy(err:find(case[2], 1, true), err)
    end
  end)
end)
