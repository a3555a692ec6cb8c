local core = require "wingman.core"
local support = require "spec.core.support"

local unhex, difference = support.unhex, support.difference

local function le32(n) return string.char(n % 256, math.floor(n / 256) % 256, math.floor(n / 65536) % 256, math.floor(n / 2 ^ 24)) end

local function bin(bytes) return assert(core.encode(setmetatable({ bytes = bytes }, core.bin_mark))) end

--- A BATCH frame around `data`, or around a list of messages.
local function batch(data, count)
  if type(data) == "table" then
    count = count or #data
    local parts = { le32(#data) }
    for _, message in ipairs(data) do parts[#parts + 1] = le32(#message) .. message end
    data = table.concat(parts)
  end
  return "\131\164type\165BATCH\165count" .. core.encode(count or 1) .. "\164data" .. bin(data)
end

local ping = assert(core.encode { type = "PING", timestamp = 1 })

describe("message", function()
  it("gives the type and where the payload stands", function()
    local frame = core.encode { type = "OP_ACK", payload = { lastId = "7" } }
    local kind, pos, len = core.parse_message(frame)
    assert.equal("OP_ACK", kind)
    assert.same({ lastId = "7" }, (core.decode(frame, pos)))
    assert.equal(10, len)
    assert.same({ "AUTH_ACK" }, { core.parse_message(core.encode { type = "AUTH_ACK" }) })
  end)

  it("finds the type wherever it stands, the last one when there are several", function()
    assert.same({ "A", 10, 1 }, { core.parse_message("\130\167payload\5\164type\161A") })
    assert.equal("B", (core.parse_message "\130\164type\161A\164type\161B"))
    assert.equal("A", (core.parse_message "\130\145\1\2\164type\161A")) -- keys of other kinds are stepped over
    assert.equal("A", (core.parse_message "\129\217\4type\161A"))
    assert.is_nil((core.parse_message "\130\164type\161A\164type\1"))
  end)

  it("takes an undefined payload as none, a nil payload as nil", function()
    assert.same({ "A" }, { core.parse_message "\130\164type\161A\167payload\212\0\0" })
    assert.same({ "A", 17, 1 }, { core.parse_message "\130\164type\161A\167payload\192" })
  end)

  it("refuses what is no message, and says why", function()
    local cases = {
      [""] = "the MessagePack data ends inside a value",
      ["\193"] = "the byte c1 is not MessagePack",
      ["\128"] = "the message is not a map with a string `type`",
      ["\5"] = "the message is not a map with a string `type`",
      ["\145\1"] = "the message is not a map with a string `type`",
      ["\129\164type\5"] = "the message is not a map with a string `type`",
      ["\129\164type\196\1A"] = "the message is not a map with a string `type`",
      ["\129\164typo\161A"] = "the message is not a map with a string `type`",
      ["\129\164type\161A\0"] = "bytes follow the message",
      ["\5\5"] = "bytes follow the message",
      ["\130\164type\161A"] = "the MessagePack data ends inside a value",
      ["\130\164type\161A\161x\193"] = "the byte c1 is not MessagePack",
      ["{\"type\":\"A\"}"] = "bytes follow the message",
    }
    for frame, reason in pairs(cases) do
      assert.same({ nil, reason }, { core.parse_message(frame) }, support.hex(frame))
      assert.same({ nil, reason }, { core.unbatch(frame) }, support.hex(frame))
    end
    assert.has_error(function() core.parse_message(5) end)
    assert.has_error(function() core.unbatch() end)
  end)

  it("counts the outer map as the first of 128 levels", function()
    for depth = 126, 129 do
      local frame = "\130\164type\161A\161x" .. ("\145"):rep(depth) .. "\0"
      local kind, err = core.parse_message(frame)
      if depth <= 127 then
        assert.equal("A", kind)
        assert.is_table((core.decode(frame)))
      else
        assert.is_nil(kind)
        assert.equal("MessagePack values are nested too deep", err)
        assert.is_nil((core.decode(frame)))
      end
    end
  end)

  it("hands on a frame that is no BATCH as it is", function()
    assert.same({ ping }, (core.unbatch(ping)))
  end)

  it("opens a BATCH, in order", function()
    local messages = {}
    for i = 1, 20 do messages[i] = core.encode { type = "M" .. i } end
    assert.same(messages, (core.unbatch(batch(messages))))
    assert.same({}, (core.unbatch(batch {})))
  end)

  it("opens a BATCH in a BATCH four times and no further", function()
    local frame = ping
    for depth = 1, 6 do
      frame = batch { frame, ping }
      local frames, err = core.unbatch(frame)
      if depth <= 4 then
        assert.equal(depth + 1, #frames)
      else
        assert.is_nil(frames)
        assert.equal("the lengths in a BATCH do not fit its data", err)
      end
    end
  end)

  it("refuses an envelope whose lengths do not fit", function()
    local reason = "the lengths in a BATCH do not fit its data"
    for name, frame in pairs {
      ["no count"] = batch "",
      ["half a count"] = batch "\1\0\0",
      ["a count beyond the data"] = batch "\1\0\0\0",
      ["a huge count"] = batch "\255\255\255\255",
      ["a length beyond the data"] = batch("\1\0\0\0" .. le32(#ping + 1) .. ping),
      ["a huge length"] = batch("\1\0\0\0\255\255\255\255" .. ping),
      ["a rest"] = batch("\1\0\0\0" .. le32(#ping) .. ping .. "\0"),
      ["half a length"] = batch("\2\0\0\0" .. le32(#ping) .. ping .. "\0\0", 2),
      ["two counts"] = batch({ ping }, 2),
      ["a count that is no number"] = batch({ ping }, "1"),
      ["data that are no bin"] = core.encode { type = "BATCH", count = 0, data = "\0\0\0\0" },
      ["no data"] = core.encode { type = "BATCH", count = 0 },
    } do
      assert.same({ nil, reason }, { core.unbatch(frame) }, name)
    end
    assert.same({ nil, "the MessagePack data ends inside a value" }, { core.unbatch(batch { ping, "" }) })
    assert.same({ nil, "bytes follow the message" }, { core.unbatch(batch { ping .. ping }) })
    -- The count beside the data may be missing; it is said again inside.
    assert.same({ ping }, (core.unbatch("\130\164type\165BATCH\164data" .. bin(le32(1) .. le32(#ping) .. ping))))
  end)
end)

describe("message, recorded frames", function()
  local scenarios = support.vectors("frames.json").scenarios

  --- Expected fields as decode would give them.
  local function expected(json)
    if type(json) ~= "table" or json == core.null then return json end
    if json["$undefined"] then return nil end
    if json["$bigint"] then return support.integer(json["$bigint"]) end
    if json["$bin"] then return unhex(json["$bin"]) end
    local value = {}
    for k, v in pairs(json) do
      value[k] = expected(v)
      if value[k] == nil and support.is_list(json) then value[k] = core.null end
    end
    return value
  end

  it("of the servers are all read, and mean what was recorded", function()
    local frames, batches, inner = 0, 0, 0
    for _, scenario in ipairs(scenarios) do
      for _, frame in ipairs(scenario.frames) do
        if frame.dir == "s2c" and frame.bin then
          local bytes = unhex(frame.hex)
          frames = frames + 1
          assert.equal(frame.json.type, (core.parse_message(bytes)), scenario.name)
          if frame.json.type == "BATCH" then
            local list = assert(core.unbatch(bytes))
            assert.equal(frame.json.count, #list)
            for i, message in ipairs(list) do
              assert.is_nil(difference(expected(frame.inner[i].json or frame.inner[i]), (core.decode(message))))
              inner = inner + 1
            end
            batches = batches + 1
          else
            assert.is_nil(difference(expected(frame.json), (core.decode(bytes))), scenario.name)
            assert.same({ bytes }, (core.unbatch(bytes)))
          end
        end
      end
    end
    assert.same({ 54, 135, 1, 6 }, { #scenarios, frames, batches, inner })
  end)

  it("are refused when cut anywhere", function()
    for _, scenario in ipairs(scenarios) do
      for _, frame in ipairs(scenario.frames) do
        local bytes = unhex(frame.hex)
        if frame.dir == "s2c" and frame.bin and #bytes < 600 then
          for len = 0, #bytes - 1 do
            assert.is_nil((core.parse_message(bytes:sub(1, len))))
            assert.is_nil((core.unbatch(bytes:sub(1, len))))
          end
        end
      end
    end
  end)

  it("do no harm with bytes changed (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed)
    local envelope = batch { ping, batch { ping, ping }, ping }
    for _, scenario in ipairs(scenarios) do
      for _, frame in ipairs(scenario.frames) do
        local bytes = frame.dir == "s2c" and frame.bin and unhex(frame.hex) or envelope
        for _ = 1, 20 do
          local at = math.random(#bytes)
          local changed = bytes:sub(1, at - 1) .. string.char(math.random(0, 255)) .. bytes:sub(at + 1)
          local list = core.unbatch(changed)
          for _, message in ipairs(list or {}) do
            assert.is_string((core.parse_message(message)))
          end
        end
      end
    end
  end)
end)
