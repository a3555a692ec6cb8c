local histogram = require "wingman.histogram"
local support = require "spec.core.support"

--- The widest slot that `digits` allow around a value.
local function tolerance(value, digits) return math.max(1, value / 10 ^ digits) end

describe("histogram", function()
  it("is empty at first and after reset", function()
    local h = histogram.new(1e6, 3)
    for _ = 1, 2 do
      assert.equal(0, h:count())
      assert.equal(0, h:min())
      assert.equal(0, h:max())
      assert.equal(0, h:mean())
      assert.equal(0, h:stddev())
      assert.equal(0, h:percentile(50))
      assert.equal(0, h:percentile(100))
      h:record(7)
      h:record(2e6)
      assert.equal(2, h:count())
      assert.equal(1, h:overflows())
      h:reset()
      assert.equal(0, h:overflows())
    end
  end)

  it("keeps single steps up to twice the precision", function()
    for digits = 1, 5 do
      local h = histogram.new(2 ^ 40, digits)
      local single = 2 * 10 ^ digits
      h:record_n(single - 1, 60)
      h:record_n(single - 2, 40)
      assert.equal(single - 2, h:percentile(40))
      assert.equal(single - 1, h:percentile(40.1))
      h:close()
    end
  end)

  it("keeps the digits over the whole range", function()
    for digits = 1, 5 do
      local h = histogram.new(2 ^ 50, digits)
      for power = 0, 49 do
        for _, value in ipairs { 2 ^ power, 2 ^ power + math.floor(2 ^ power / 3), 2 ^ (power + 1) - 1 } do
          h:reset()
          h:record(value)
          h:record(2 ^ 50) -- so that the maximum does not hide the slot's width
          local seen = h:percentile(50)
          assert.is_true(seen >= value, ("%d digits: %.0f seen as %.0f"):format(digits, value, seen))
          assert.is_true(seen - value <= tolerance(value, digits), ("%d digits: %.0f seen as %.0f"):format(digits, value, seen))
        end
      end
    end
  end)

  it("knows the exact minimum and maximum", function()
    local h = histogram.new(1e9, 1)
    h:record(123457)
    h:record(987654321)
    assert.equal(123457, h:min())
    assert.equal(987654321, h:max())
    assert.equal(123457, h:percentile(0))
    assert.equal(987654321, h:percentile(100))
  end)

  it("counts what is above the largest value as that, and as an overflow", function()
    local h = histogram.new(1000, 3)
    h:record(999)
    h:record(1000)
    assert.equal(0, h:overflows())
    h:record(1001)
    h:record_n(2 ^ 53, 4)
    assert.equal(5, h:overflows())
    assert.equal(7, h:count())
    assert.equal(1000, h:max())
    assert.equal(1000, h:percentile(99))
  end)

  it("has percentiles, mean and deviation of the counts (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed)
    for _, digits in ipairs { 2, 3, 4 } do
      local h = histogram.new(1e9, digits)
      local values, sum = {}, 0
      for i = 1, 5000 do
        values[i] = math.floor(10 ^ (math.random() * 8))
        sum = sum + values[i]
        h:record(values[i])
      end
      table.sort(values)
      local mean, squares = sum / #values, 0
      for _, v in ipairs(values) do squares = squares + (v - mean) ^ 2 end
      local deviation = math.sqrt(squares / #values)
      for _, p in ipairs { 1, 10, 25, 50, 75, 90, 99, 99.9, 99.98 } do
        local exact = values[math.ceil(p / 100 * #values - 1e-9)]
        local seen = h:percentile(p)
        assert.is_true(seen >= exact and seen - exact <= tolerance(exact, digits),
          ("p%s: %d seen as %d"):format(p, exact, seen))
      end
      assert.is_true(math.abs(h:mean() - mean) <= mean / 10 ^ digits)
      assert.is_true(math.abs(h:stddev() - deviation) <= deviation / 10 ^ digits * 2)
    end
  end)

  it("merges to what recording in one would have given", function()
    local a, b, both = histogram.new(1e6, 3), histogram.new(1e6, 3), histogram.new(1e6, 3)
    for i = 1, 3000 do
      local value = i * 7919 % 1000003
      ;(i % 2 == 0 and a or b):record(value)
      both:record(value)
    end
    b:record(5e6)
    both:record(5e6)
    a:merge(b)
    assert.equal(both:hgrm(), a:hgrm())
    assert.equal(both:overflows(), a:overflows())
    assert.equal(both:min(), a:min())
    assert.equal(both:max(), a:max())
    a:merge(histogram.new(10, 1))
    assert.equal(both:hgrm(), a:hgrm())
  end)

  it("merges other digits and ranges by the middle of each slot", function()
    local fine, coarse = histogram.new(1e6, 4), histogram.new(1e9, 2)
    coarse:record_n(123456, 10)
    coarse:record(5e8)
    fine:merge(coarse)
    assert.equal(11, fine:count())
    assert.equal(1, fine:overflows())
    assert.equal(123456, fine:min())
    assert.equal(1e6, fine:max())
    assert.is_true(math.abs(fine:percentile(50) - 123456) <= 123456 / 100)

    local narrow, wide = histogram.new(1000, 3), histogram.new(1e6, 3)
    wide:record(500)
    wide:record(70000)
    narrow:merge(wide)
    assert.equal(2, narrow:count())
    assert.equal(1, narrow:overflows())
    assert.equal(500, narrow:min())
    assert.equal(1000, narrow:max())
  end)

  it("writes the distribution in the form that plotters read", function()
    local h = histogram.new(3600e6, 3)
    for i = 1, 1000 do h:record(i * 1000) end
    local lines = {}
    for line in h:hgrm(nil, 1000):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
    assert.equal("       Value     Percentile TotalCount 1/(1-Percentile)", lines[1])
    assert.equal("", lines[2])
    assert.equal("       1.000 0.000000000000          1           1.00", lines[3])
    local last_value, last_percentile, last_count, rows = 0, -1, 0, 0
    for i = 3, #lines - 3 do
      local fields = {}
      for field in lines[i]:gmatch "%S+" do fields[#fields + 1] = tonumber(field) end
      assert.equal(i == #lines - 3 and 3 or 4, #fields, lines[i])
      assert.is_true(fields[1] >= last_value and fields[2] > last_percentile and fields[3] >= last_count, lines[i])
      if fields[4] then assert.is_true(math.abs(fields[4] - 1 / (1 - fields[2])) < 0.006 + fields[4] * 1e-6, lines[i]) end
      last_value, last_percentile, last_count, rows = fields[1], fields[2], fields[3], rows + 1
    end
    assert.equal(1000, last_value)
    assert.equal(1, last_percentile)
    assert.equal(1000, last_count)
    assert.is_true(rows > 30)
    assert.matches("^#%[Mean    = +500%.%d%d%d, StdDeviation   = +288%.%d%d%d%]$", lines[#lines - 2])
    assert.equal("#[Max     =     1000.000, Total count    =         1000]", lines[#lines - 1])
    assert.equal("#[Buckets =           22, SubBuckets     =         2048]", lines[#lines])
  end)

  it("writes the known table of a small distribution", function()
    local h = histogram.new(3600e6, 2)
    h:record_n(10, 5)
    h:record_n(20, 3)
    h:record_n(1000, 2)
    assert.equal(table.concat({
      "       Value     Percentile TotalCount 1/(1-Percentile)",
      "",
      "       10.00 0.000000000000          5           1.00",
      "       10.00 0.500000000000          5           2.00",
      "       20.00 0.750000000000          8           4.00",
      "     1000.00 0.875000000000         10           8.00",
      "     1000.00 1.000000000000         10",
      "#[Mean    =       211.40, StdDeviation   =       395.32]",
      "#[Max     =      1000.00, Total count    =           10]",
      "#[Buckets =           25, SubBuckets     =          256]",
      "",
    }, "\n"), h:hgrm(nil, 1, 1))
  end)

  it("writes files, and says why it could not", function()
    local h = histogram.new(1000)
    h:record(5)
    local path = os.tmpname()
    assert.is_true(h:hgrm(path))
    local file = assert(io.open(path))
    assert.equal(h:hgrm(), file:read "*a")
    file:close()
    os.remove(path)
    local ok, err = h:hgrm "/nonexistent/x.hgrm"
    assert.is_nil(ok)
    assert.matches("^/nonexistent/x%.hgrm: No such file", err)
    ok, err = h:hgrm "/dev/full"
    assert.is_nil(ok)
    assert.matches("No space left", err)
  end)

  it("gives everything back that was exported, for all digits (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed)
    for digits = 1, 5 do
      for _, limit in ipairs { 1, 1000, 60e6, 2 ^ 53 } do
        local h = histogram.new(limit, digits)
        for _ = 1, 300 do h:record_n(math.floor(10 ^ (math.random() * 15)), math.random(1, 1000)) end
        local exported = h:export()
        local again = assert(histogram.import(exported))
        assert.same(exported, again:export())
        assert.equal(h:hgrm(), again:hgrm())
        for _, ask in ipairs { "count", "min", "max", "overflows", "mean", "stddev" } do
          assert.equal(h[ask](h), again[ask](again), ask)
        end
        h:close()
        again:close()
      end
    end
  end)

  it("exports slots as distances, with their counts", function()
    local h = histogram.new(1e6, 1) -- single steps to 31, then 16 slots to each doubling
    h:record(0)
    h:record_n(31, 5)
    h:record_n(33, 7)
    h:record(1e6)
    h:record(2e6)
    assert.same({ digits = 1, lowest = 1, limit = 1e6, min = 0, max = 1e6, overflows = 1,
      counts = { 0, 1, 31, 5, 1, 7, 15 * 16 - 2, 2 } }, h:export())
    assert.same({ digits = 3, lowest = 1, limit = 10, min = 0, max = 0, overflows = 0, counts = {} },
      histogram.new(10, 3):export())
    assert.same({}, assert(histogram.import(histogram.new(10, 3):export())):export().counts)
  end)

  it("takes the middle of a slot where bounds were not exported", function()
    local h = assert(histogram.import { digits = 1, limit = 1e6, counts = { 32, 1, 16, 1 } })
    assert.equal(33, h:min())
    assert.equal(66, h:max())
    assert.equal(2, h:count())
  end)

  it("refuses an export that cannot have come from a histogram", function()
    local good = { digits = 1, limit = 1000, min = 33, max = 64, overflows = 0, counts = { 32, 1, 16, 1 } }
    assert(histogram.import(good))
    local function refused(message, field, value)
      local bad = {}
      for k, v in pairs(good) do bad[k] = v end
      bad[field] = value
      local h, err = histogram.import(bad)
      assert.is_nil(h, field)
      assert.matches(message, err)
    end
    for _, digits in ipairs { 0, 6, 1.5, "3", false } do refused("^digits", "digits", digits) end
    for _, limit in ipairs { 0, -1, 2 ^ 54, 0 / 0, 1 / 0 } do refused("^limit", "limit", limit) end
    refused("^lowest", "lowest", 2)
    refused("^counts: a list", "counts", 5)
    refused("^counts: pairs", "counts", { 32 })
    refused("^counts: whole", "counts", { 32, 0.5 })
    refused("^counts: whole", "counts", { -1, 1 })
    refused("^counts: whole", "counts", { "32", 1 })
    refused("do not ascend", "counts", { 32, 1, 0, 1 })
    refused("without a count", "counts", { 32, 0 })
    refused("above the limit", "counts", { 32, 1, 200, 1 })
    refused("2^53", "counts", { 32, 2 ^ 53, 16, 1 })
    refused("^min, max", "min", 31)
    refused("^min, max", "min", 34)
    refused("^min, max", "max", 63)
    refused("^min, max", "max", 68)
    refused("^min, max", "overflows", 3)
    refused("^min, max", "overflows", 0.5)
    refused("^min, max", "counts", {})
    assert.has_error(function() histogram.import(5) end)
  end)

  it("counts what lies at or below a value", function()
    local h = histogram.new(1e6, 3)
    for i = 1, 1000 do h:record(i) end
    h:record_n(500000, 10)
    assert.equal(0, h:count_to(0))
    assert.equal(1, h:count_to(1))
    assert.equal(999, h:count_to(999.9))
    assert.equal(1000, h:count_to(499000))
    assert.equal(1010, h:count_to(500000))
    assert.equal(1010, h:count_to(2 ^ 53))
    assert.equal(0, histogram.new(10):count_to(5))
  end)

  it("refuses wrong arguments, and use after close", function()
    for _, bad in ipairs { { 0, 3 }, { -1, 3 }, { 2 ^ 60, 3 }, { 0 / 0, 3 }, { 100, 0 }, { 100, 6 } } do
      assert.has_error(function() histogram.new(bad[1], bad[2]) end)
    end
    local h = histogram.new(100)
    for _, bad in ipairs { -1, 0 / 0, 1 / 0, "x" } do assert.has_error(function() h:record(bad) end) end
    assert.has_error(function() h:percentile(101) end)
    assert.has_error(function() h:percentile(0 / 0) end)
    assert.has_error(function() h:merge {} end)
    assert.has_error(function() h:merge(h) end)
    assert.has_error(function() h:hgrm(nil, 0) end)
    h:close()
    h:close()
    assert.has_error(function() h:record(1) end, "calling 'record' on bad self (the histogram is closed)")
    collectgarbage()
  end)
end)
