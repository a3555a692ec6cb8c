--- The short form of scripts/soak.lua: memory is flat over many connections and many
--- writes. The long form is run by hand.
local build = require "spec.support.build"
local cjson = require "cjson"
local process = require "wingman.loop.process"

-- A process of its own: this one has run other specs. The sanitizer would keep freed
-- memory for a while.
local function soak(...)
  local child = assert(process.spawn {
    file = process.wingman_path(), args = { "run", "scripts/soak.lua", "--json", ... },
    env = { ASAN_OPTIONS = (os.getenv "ASAN_OPTIONS" or "") .. ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64" },
  })
  local text = child:read_all(500)
  local code = child:wait(60)
  child:close()
  return code, text ~= "" and cjson.decode(text) or {}
end

-- With the sanitizers few: they find what is left at the end, and keep what is freed, so that memory grows at first.
local CYCLES = build.is_sanitized and 400 or 2000

describe("memory", function()
  it(("is flat over %d clients of three connections and 10 s of writes"):format(CYCLES), function()
    local code, parts = soak("--cycles", tostring(CYCLES), "--seconds", "10", "--bound", "4")
    assert.equal(0, code, "cycles " .. tostring(parts.cycles and parts.cycles.growth) .. " bytes, writes "
      .. tostring(parts.writes and parts.writes.growth) .. " bytes")
    assert.equal(CYCLES, parts.cycles.count)
    -- A leak of 700 bytes in each of the 1,600 of 2,000 that are measured.
    if not build.is_sanitized then assert.is_true(parts.cycles.growth < 1.1e6, parts.cycles.growth .. " bytes") end
    assert.is_true(parts.writes.count > 1000, parts.writes.count .. " writes")
    assert.equal(parts.writes.count, parts.writes.acked)
  end)

  it("that grows by more than the bound decides the exit code", function()
    local code, parts = soak("--cycles", "20", "--seconds", "0", "--bound", "-1000")
    assert.equal(1, code)
    assert.is_false(parts.flat)
  end)
end)
