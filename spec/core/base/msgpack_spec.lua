local ffi = require "ffi"
local cjson = require "cjson"
local core = require "wingman.core"
local msgpack = require "wingman.base.msgpack"
local support = require "spec.core.support"

local hex, unhex, difference = support.hex, support.unhex, support.difference
local null, encode, decode = msgpack.null, msgpack.encode, msgpack.decode

describe("msgpack encode", function()
  --- Expects an error with this text.
  local function refused(value, pattern)
    local bytes, err = encode(value)
    assert.is_nil(bytes)
    assert.matches(pattern, err)
  end

  it("writes numbers at their edges, as a JavaScript client does", function()
    local cases = {
      { 127, "7f" }, { 128, "cc80" }, { 255, "ccff" }, { 256, "cd0100" }, { 65535, "cdffff" }, { 65536, "ce00010000" },
      { 2 ^ 32 - 1, "ceffffffff" }, { 2 ^ 32, "cb41f0000000000000" }, { -32, "e0" }, { -33, "d0df" },
      { -128, "d080" }, { -129, "d1ff7f" }, { -32768, "d18000" }, { -32769, "d2ffff7fff" },
      { -2 ^ 31, "d280000000" }, { -2 ^ 31 - 1, "cbc1e0000000200000" }, { -0.0, "00" }, { 0.5, "cb3fe0000000000000" },
      { 0 / 0, "cb7ff8000000000000" }, { -(0 / 0), "cb7ff8000000000000" }, { -1 / 0, "cbfff0000000000000" },
    }
    for _, case in ipairs(cases) do assert.equal(case[2], hex(encode(case[1])), tostring(case[1])) end
  end)

  it("writes 64-bit cdata exactly", function()
    local cases = {
      { 0LL, "00" }, { -1LL, "ff" }, { 255ULL, "ccff" }, { 0xffffffffLL, "ceffffffff" },
      { 0x100000000LL, "d30000000100000000" }, { 0x100000000ULL, "cf0000000100000000" },
      { -0x80000000LL, "d280000000" }, { -0x80000001LL, "d3ffffffff7fffffff" },
      { 0x7fffffffffffffffLL, "d37fffffffffffffff" }, { -0x7fffffffffffffffLL - 1, "d38000000000000000" },
      { 0xffffffffffffffffULL, "cfffffffffffffffff" }, { 9007199254740993LL, "d30020000000000001" },
    }
    for _, case in ipairs(cases) do assert.equal(case[2], hex(encode(case[1])), tostring(case[1])) end
    for _, other in ipairs { ffi.new "int[2]", ffi.new "int64_t[1]", ffi.cast("void *", 0), ffi.new "struct { int64_t x; }",
      ffi.typeof "int64_t", ffi.cast("int64_t *", 0) } do
      refused(other, "cdata that is no 64%-bit integer")
    end
  end)

  it("reads 64-bit integers exactly, and numbers up to 2^53", function()
    for _, text in ipairs { "cf0020000000000000", "d3ffe0000000000000" } do
      assert.equal("number", type((decode(unhex(text)))))
    end
    assert.equal("9007199254740993LL", tostring((decode(unhex "cf0020000000000001"))))
    assert.equal("-9007199254740993LL", tostring((decode(unhex "d3ffdfffffffffffff"))))
    assert.equal("9223372036854775808ULL", tostring((decode(unhex "cf8000000000000000"))))
    assert.equal("-9223372036854775808LL", tostring((decode(unhex "d38000000000000000"))))
  end)

  it("tells arrays from maps by the keys", function()
    assert.equal("80", hex(encode {}))
    assert.equal("90", hex(encode(msgpack.array())))
    assert.equal("80", hex(encode(msgpack.map())))
    assert.equal("93010203", hex(encode { 1, 2, 3 }))
    assert.equal("81a16101", hex(encode { a = 1 }))
    assert.equal("81a13101", hex(encode { ["1"] = 1 }))
    assert.equal("920102", hex(encode { 1, 2, nil }))
    -- The elements of a list may lie in any order inside the table.
    local scattered = {}
    for i = 20, 1, -1 do scattered[i] = i end
    assert.equal("dc00140102030405060708090a0b0c0d0e0f1011121314", hex(encode(scattered)))
    assert.equal("929403010204c3", hex(encode { { [3] = 2, [1] = 3, [4] = 4, [2] = 1 }, true }))
  end)

  it("encodes nested lists in any order once, not once per level", function()
    local value = 1
    for _ = 1, 100 do
      local outer = {}
      outer[3], outer[2] = 1, 1
      outer[1] = value
      value = outer
    end
    local start = os.clock()
    assert.equal(100 * 3 + 1, #assert(encode(value)))
    assert.is_true(os.clock() - start < 1)
  end)

  it("writes holes as nil in an array whose n says so", function()
    assert.equal("93a161c0a163", hex(encode(msgpack.array { n = 3, "a", nil, "c" })))
    assert.equal("92c0c0", hex(encode(msgpack.array { n = 2 })))
    assert.equal("90", hex(encode(msgpack.array { n = 0 })))
    refused(msgpack.array { "a", nil, "c" }, "hole at %[2%] before its key 3")
    refused(msgpack.array { n = 2, "a", nil, "c" }, "key 3 beyond its n = 2")
    refused(msgpack.array { n = 1.5 }, "whole number")
    refused(msgpack.array { n = -1 }, "whole number")
    refused(msgpack.array { n = "1" }, "whole number")
    refused(msgpack.array { n = 2 ^ 31 - 1 }, "takes more than")
    refused(msgpack.array { 1, x = 2 }, 'marked as array has the key "x"')
    refused(msgpack.array { [1.5] = 2 }, "key 1.5")
  end)

  it("refuses tables that are neither, and says where", function()
    refused({ 1, nil, 3 }, "hole at %[2%] before its key 3")
    refused({ [0] = 1 }, "key 0 stands beside")
    refused({ [2] = 1 }, "hole at %[1%] before its key 2")
    refused({ 1, a = 2 }, 'key "a" stands beside')
    refused({ [1] = 1, [1e300] = 2 }, "key 1e%+300")
    refused({ [true] = 1 }, "one is true %(boolean%)")
    refused({ [{}] = 1 }, "one is a table")
    refused({ n = 2, 1, 2 }, 'key "n"')
    refused(msgpack.map { 1 }, "one is 1 %(number%)")
    refused({ ["\255"] = 1 }, "key is not UTF%-8")
    refused({ x = { y = { 1, 2, { print } } } }, "a function cannot be encoded %(at x%.y%[3%]%[1%]%)")
    refused({ f = coroutine.create(print) }, "a thread cannot be encoded %(at f%)")
    refused(newproxy(), "a userdata cannot be encoded$")
    refused({ { io.stdout } }, "userdata cannot be encoded %(at %[1%]%[1%]%)")
    refused({ ["a\0b"] = print }, "%(at a%)")
    refused({ [("k"):rep(300)] = { [("j"):rep(300)] = print } }, "%(at k+%.j+%)")
  end)

  it("goes 128 levels deep and no further", function()
    local function nested(depth)
      local value = 0
      for i = 1, depth do value = i % 2 == 0 and { value } or { a = value } end
      return value
    end
    for _, depth in ipairs { 127, 128 } do
      local bytes = assert(encode(nested(depth)))
      assert.is_nil(difference(nested(depth), (decode(bytes))))
    end
    refused(nested(129), "nested deeper than 128 levels.*at .*%.")
    local cycle = {}
    cycle.self = cycle
    refused(cycle, "contain itself.*%.self%.self")
    assert.same({ nil, "MessagePack values are nested too deep" }, { decode(("\145"):rep(129) .. "\0") })
    assert.is_table((decode(("\145"):rep(128) .. "\0")))
    assert.is_nil((decode(("\145"):rep(1000000))))
    assert.is_nil((decode(("\129\0"):rep(1000000))))
  end)

  it("keeps to a size", function()
    assert.equal(11, #assert(encode(("x"):rep(10), 11)))
    refused({ msgpack.bin(("x"):rep(65 * 2 ^ 20)) }, "more than 67108864 bytes %(at %[1%]%)")
    for size = 0, 20 do
      local bytes, err = encode({ a = { 1, 2, "three" }, b = 5 }, size)
      if size < 15 then
        assert.is_nil(bytes)
        assert.matches("takes more than " .. size .. " bytes", err)
      else
        assert.equal(15, #bytes)
      end
    end
  end)

  it("takes strings for what they are: text, else bytes", function()
    assert.equal("a3c3a961", hex(encode "\195\169a"))
    assert.equal("c402c361", hex(encode "\195a"))
    assert.equal("c402c3a9", hex(encode(msgpack.bin "\195\169")))
    assert.equal("c400", hex(encode(msgpack.bin "")))
    assert.equal("\195\169", tostring(msgpack.bin "\195\169"))
    assert.equal("\195\169", (decode(encode(msgpack.bin "\195\169"))))
    assert.has_error(function() msgpack.bin(5) end)
    refused(setmetatable({}, core.bin_mark), "without a string")
    refused({ setmetatable({ bytes = 5 }, core.bin_mark) }, "without a string")
  end)

  it("knows one null, cjson's", function()
    assert.equal(cjson.null, null)
    assert.equal("c0", hex(encode(nil)))
    assert.equal("c0", hex(encode(cjson.null)))
    assert.equal("82a161c0a162c3", hex(support.canonical(encode(cjson.decode '{"a":null,"b":true}'))))
    assert.equal(null, (decode "\192"))
    assert.equal(null, decode("\129\161a\192").a)
  end)

  it("calls no metamethod", function()
    local shy = setmetatable({ a = 1 }, {
      __index = function() error "called" end,
      __pairs = function() error "called" end,
      __len = function() error "called" end,
      __eq = function() error "called" end,
    })
    assert.equal("81a16101", hex(encode(shy)))
  end)

  it("gives an empty array its mark, so that it stays one", function()
    for _, text in ipairs { "90", "80", "81a16190", "929080", "dc0000" } do
      local bytes = unhex(text)
      assert.equal(hex(support.canonical(bytes)):gsub("dc0000", "90"), hex(encode((decode(bytes)))))
    end
    assert.is_true(msgpack.is_array((decode "\144")))
    assert.is_false(msgpack.is_array((decode "\128")))
    local list = decode "\144"
    list[1] = 5
    assert.equal("9105", hex(encode(list)))
  end)

  it("reads undefined as a field that is not there", function()
    assert.same({ b = 1 }, (decode(unhex "82a161d40000a16201")))
    assert.same({}, (decode(unhex "82a16101a161d40000")))
    assert.same({ null, 1 }, (decode(unhex "92d4000001")))
    assert.same({ nil, 4 }, { decode(unhex "d40000") })
    assert.same({ nil, "unknown MessagePack extension type 0" }, { decode(unhex "d40001") })
    assert.same({ nil, "unknown MessagePack extension type -2" }, { decode(unhex "92c0d4fe00") })
    assert.same({ nil, "unknown MessagePack extension type 127" }, { decode(unhex "c7007f") })
    assert.same({ nil, "unknown MessagePack extension type -128" }, { decode(unhex "c70080") })
  end)

  it("reads timestamps that are times, and no others", function()
    assert.same({ seconds = -2, nanoseconds = 999999999 }, (decode(unhex "c70cff3b9ac9fffffffffffffffffe")))
    assert.is_true(msgpack.is_timestamp((decode(unhex "d6ff00000000"))))
    assert.is_false(msgpack.is_timestamp { seconds = 1, nanoseconds = 1 })
    for _, text in ipairs { "d7ffee6b280000000000", "c70cff3b9aca000000000000000000", "d4ff00", "c702ff0000", "d5ff0000" } do
      assert.same({ nil, "an invalid timestamp extension" }, { decode(unhex(text)) }, text)
    end
  end)

  it("reads keys that a table can have, and no others", function()
    assert.same({ [1] = 1, [-5] = 2, [1.5] = 3, [true] = 4 }, (decode(unhex "840101fb02cb3ff800000000000003c304")))
    assert.same({ ab = 1 }, (decode(unhex "81c402616201")))
    for _, text in ipairs { "81c001", "81cb7ff800000000000001", "819001", "818001", "81d4000001", "81cfffffffffffffffff01",
      "81d3800000000000000001", "81d6ff0000000001" } do
      assert.same({ nil, "a map key is nil, NaN or no scalar" }, { decode(unhex(text)) }, text)
    end
  end)

  it("starts and stops at the given places", function()
    local bytes = assert(encode { a = 1 }) .. assert(encode "x") .. assert(encode(7))
    local value, pos = decode(bytes)
    assert.same({ a = 1 }, value)
    value, pos = decode(bytes, pos)
    assert.equal("x", value)
    value, pos = decode(bytes, pos)
    assert.equal(7, value)
    assert.equal(#bytes + 1, pos)
    assert.same({ nil, "the MessagePack data ends inside a value" }, { decode(bytes, pos) })
    for _, bad in ipairs { 0, -1, #bytes + 2, 0 / 0 } do assert.has_error(function() decode(bytes, bad) end) end
    assert.has_error(function() decode(5) end)
    assert.has_error(function() core.encode() end)
    assert.has_error(function() core.encode(1, -1) end)
  end)

  it("does not trust lengths and counts", function()
    for _, text in ipairs { "ddffffffff", "dfffffffff", "dbffffffff", "c6ffffffff", "c9ffffffff00", "dd7fffffff00",
      "df80000000", "dcffff", "9f", "8f", "bf", "c7ff", "c8", "c9000000", "d9", "da00", "db000000", "ca000000", "cb00",
      "cc", "cd00", "ce000000", "cf00000000000000", "d0", "d4", "d400", "d8", "dd00000002c0" } do
      assert.same({ nil, "the MessagePack data ends inside a value" }, { decode(unhex(text)) }, text)
    end
  end)

  it("survives a finalizer that encodes in the middle of encoding", function()
    local inner, encoding = 0, false
    local function plant()
      getmetatable(newproxy(true)).__gc = function()
        assert(#encode { ("y"):rep(5000) } == 5004)
        if encoding then inner = inner + 1 end
      end
    end
    -- 64-bit integers make garbage while they are encoded.
    local value, expected = {}, {}
    for i = 1, 200 do
      value[i] = 0x7fffffffff000000LL + i
      expected[i] = "d37fffffffff" .. ("%06x"):format(i)
    end
    expected = "dc00c8" .. table.concat(expected)
    local pause, speed = collectgarbage("setpause", 1), collectgarbage("setstepmul", 5000)
    collectgarbage() -- from here on it never pauses
    for _ = 1, 3000 do
      if inner >= 10 then break end
      for _ = 1, 20 do plant() end
      encoding = true
      local bytes = encode(value)
      encoding = false
      assert.equal(expected, hex(bytes))
    end
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", speed)
    assert.is_true(inner > 0)
  end)

  it("works in a coroutine and in many at once", function()
    local threads = {}
    for i = 1, 50 do
      threads[i] = coroutine.wrap(function()
        local value = { i, { deep = { i } } }
        for _ = 1, 5 do
          local bytes = assert(encode(value))
          coroutine.yield()
          assert.is_nil(difference(value, (decode(bytes))))
        end
      end)
    end
    for _ = 1, 5 do
      for i = 1, 50 do threads[i]() end
    end
  end)
end)

describe("msgpack round trips", function()
  it("keep every value (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed)
    for _ = 1, 200 do
      local value = support.random_value(4, true)
      local bytes = assert(encode(value))
      local decoded, next_pos = decode(bytes)
      assert.equal(#bytes + 1, next_pos)
      assert.is_nil(difference(value, decoded))
      assert.equal(hex(support.canonical(bytes)), hex(support.canonical(assert(encode(decoded)))))
    end
  end)

  it("refuse every truncation (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed + 1)
    local cuts = 0
    for _ = 1, 100 do
      local bytes = assert(encode(support.random_value(3, true)))
      for len = 0, math.min(#bytes - 1, 400) do
        local value, err = decode(bytes:sub(1, len))
        assert.is_nil(value)
        assert.equal("the MessagePack data ends inside a value", err)
        cuts = cuts + 1
      end
    end
    assert.is_true(cuts > 1000)
  end)

  it("survive changed bytes (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed + 2)
    for _ = 1, 1000 do
      local bytes = assert(encode(support.random_value(3, true)))
      if #bytes < 5000 then
        for _ = 1, 5 do
          local at = math.random(#bytes)
          bytes = bytes:sub(1, at - 1) .. string.char(math.random(0, 255)) .. bytes:sub(at + 1)
          local value, next_pos = decode(bytes)
          if type(next_pos) == "number" then encode(value) end
        end
      end
    end
  end)
end)

-- lua-MessagePack, in pure Lua by another author: Debian's lua-messagepack.
describe("msgpack beside another implementation", function()
  local peer = require "MessagePack"
  peer.set_string "string_compat"

  --- What the other one cannot hold taken out: null becomes nothing.
  local function without_null(value)
    if value == null then return nil end
    if type(value) ~= "table" then return value end
    local copy = {}
    for k, v in pairs(value) do copy[k] = without_null(v) end
    return copy
  end

  --- What it reads wrongly: integers above 2^53 and denormal floats.
  local function beyond_it(value)
    if type(value) == "cdata" then return true end
    if type(value) == "number" then return value ~= 0 and math.abs(value) < 2 ^ -126 end
    if type(value) ~= "table" then return false end
    for k, v in pairs(value) do
      if beyond_it(k) or beyond_it(v) then return true end
    end
    return false
  end

  it("is read by it (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed + 3)
    for _ = 1, 700 do
      local value = support.random_value(4, false)
      assert.is_nil(difference(without_null(value), peer.unpack(assert(encode(value)))))
    end
  end)

  it("reads what it writes, in all its ways (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed + 4)
    for i = 1, 700 do
      peer.set_integer(i % 2 == 0 and "signed" or "unsigned")
      peer.set_string(i % 3 == 0 and "binary" or i % 3 == 1 and "string" or "string_compat")
      local value = without_null(support.random_value(4, false))
      if value ~= nil then
        local bytes = peer.pack(value)
        local decoded, next_pos = decode(bytes)
        assert.equal(#bytes + 1, next_pos)
        assert.is_nil(difference(value, decoded))
      end
    end
  end)

  it("takes and refuses the same random bytes (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed + 5)
    local leads = unhex "80818f90919fa0a1c0c2c3c4c5cacbcccdcecfd0d1d2d3d9dadcdddedf01ff61"
    local both, neither = 0, 0
    for _ = 1, 8000 do
      local parts = {}
      for i = 1, math.random(1, 12) do
        local at = math.random(#leads)
        parts[i] = math.random(4) == 1 and string.char(math.random(0, 127)) or leads:sub(at, at)
      end
      local bytes = table.concat(parts)
      local value, next_pos = decode(bytes)
      if type(next_pos) == "number" then
        local ok, theirs = pcall(peer.unpack, bytes:sub(1, next_pos - 1))
        assert.is_true(ok, hex(bytes))
        if not beyond_it(value) then assert.is_nil(difference(without_null(value), theirs), hex(bytes)) end
        both = both + 1
      elseif next_pos:find "ends inside" then
        assert.is_false((pcall(peer.unpack, bytes)), hex(bytes))
        neither = neither + 1
      end
    end
    assert.is_true(both > 1000 and neither > 1000)
  end)
end)
