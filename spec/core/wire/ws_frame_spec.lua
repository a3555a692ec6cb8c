--- Frames of every form arrive as they were meant: lengths around the forms of the
--- header, and each remainder of the words that are masked at once.
local clusters = require "spec.support.cluster"

clusters.on_each(getfenv(), "frames", function(shared, it)
  local client, name

  -- Writes one value alone in a batch; the bytes of its message.
  local function write(length)
    local before = client:stats().bytes_sent
    local value = ("%d:"):format(length) .. ("x"):rep(length)
    assert(client:map(name):set("key", value))
    assert(client:drain(60))
    assert.equal(value, shared:values(client, name)["key"])
    return client:stats().bytes_sent - before
  end

  it("carry messages up to and beyond the limits of their headers", function()
    client, name = shared:started(), shared:map_name()
    local over = write(65000) - 65000
    for _, length in ipairs { 65534, 65535, 65536, 65537 } do
      assert.equal(length, write(length - over))
    end
  end)

  it("are masked to the last byte, whatever their length", function()
    client, name = shared:started(), shared:map_name()
    for length = 10, 50 do write(length) end
  end)
end)
