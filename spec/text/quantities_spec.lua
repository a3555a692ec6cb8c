local format = require "wingman.text.quantities"

local function each(fn, cases)
  for _, case in ipairs(cases) do assert.equal(case[2], fn(case[1]), tostring(case[1])) end
end

describe("report numbers", function()
  it("are durations of three digits, in the unit that suits them", function()
    each(format.duration, {
      { 0, "0 us" }, { 1e-6, "1 us" }, { 12.3e-6, "12.3 us" }, { 281e-6, "281 us" }, { 999e-6, "999 us" },
      { 999.6e-6, "1.00 ms" }, { 4.214e-3, "4.21 ms" }, { 9.996e-3, "10.0 ms" }, { 0.0412, "41.2 ms" },
      { 0.254, "254 ms" }, { 0.9994, "999 ms" }, { 0.9996, "1.00 s" }, { 30, "30.0 s" }, { 120, "120 s" },
      { 1 / 0, "infinite" }, { 0 / 0, "none" },
    })
  end)

  it("are counts, shares and bytes", function()
    each(format.number, { { 0, "0" }, { 7, "7" }, { 0.995, "0.995" }, { 12.345, "12.3" }, { 99.5, "99.5" },
      { 123.4, "123" }, { 12345.6, "12,346" }, { 999.97, "1,000" }, { 999.4, "999" }, { 0.00123, "0.00123" }, { -1 / 0, "-infinite" } })
    each(format.share, { { 0, "0 %" }, { 1, "100 %" }, { 0.995, "99.5 %" }, { 0.34, "34.0 %" },
      { 0.99999, "> 99.9 %" }, { 0.0001, "< 0.1 %" } })
    each(format.bytes, { { 0, "0 B" }, { 1023, "1,023 B" }, { 1024, "1.0 KiB" }, { 48 * 2 ^ 20, "48.0 MiB" },
      { 150 * 2 ^ 30, "150 GiB" } })
    assert.equal("1 iteration", format.plural(1, "iteration"))
    assert.equal("2,000 entries", format.plural(2000, "entry", "entries"))
  end)

  it("are times of day in UTC", function() assert.equal("2025-11-24T16:00:00", format.timestamp(1764000000.9)) end)
end)
