--- MessagePack as other programs write and read it: the vectors.
local ffi = require "ffi"
local msgpack = require "wingman.base.msgpack"
local support = require "spec.core.support"

local hex, unhex, difference = support.hex, support.unhex, support.difference
local null, encode, decode = msgpack.null, msgpack.encode, msgpack.decode

ffi.cdef "unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);"
local crypto = ffi.load "crypto.so.3"

local function sha256(bytes)
  local digest = ffi.new "unsigned char[32]"
  crypto.SHA256(bytes, #bytes, digest)
  return hex(ffi.string(digest, 32))
end

--- A value that the vectors' JSON describes. Undefined is nil, dates are tables
--- {date =}, lists that are empty carry the mark.
local function from_json(json)
  if type(json) ~= "table" or json == null then return json end
  if json["$undefined"] then return nil end
  if json["$bigint"] then return support.integer(json["$bigint"]) end
  if json["$bin"] then return unhex(json["$bin"]) end
  if json["$date"] then return { date = json["$date"] } end
  if json["$float"] then return ({ NaN = 0 / 0, Infinity = 1 / 0, ["-Infinity"] = -1 / 0 })[json["$float"]] end
  local value = {}
  if support.is_list(json) then
    for i, element in ipairs(json) do
      local v = from_json(element)
      if v == nil then v = null end
      value[i] = v
    end
    return #json == 0 and msgpack.array(value) or value
  end
  for k, element in pairs(json) do value[k] = from_json(element) end
  return value
end

--- What a case's "gen" describes, and a second time the bytes that it must give,
--- put together here from the specification where order matters.
local function generate(gen)
  if gen == "negative zero" then return -0.0 end
  local text, count = gen:match '^"(.+)" repeated (%d+)$'
  if text then return text:rep(tonumber(count)) end
  count = gen:match "^array of (%d+) times 0$"
  if count then
    local list = {}
    for i = 1, count do list[i] = 0 end
    return list
  end
  count = gen:match "^map k0%.%.k(%d+)"
  if count then
    local map = {}
    for i = 0, count do map["k" .. i] = 0 end
    return map
  end
  count = assert(gen:match "^bytes i & 255, i < (%d+)$", gen)
  local bytes = {}
  for i = 0, count - 1 do bytes[i + 1] = string.char(i % 256) end
  return table.concat(bytes)
end

local function ordered_map_bytes(value)
  local parts, count = {}, 0
  while value["k" .. count] do
    local key = "k" .. count
    parts[count + 1] = string.char(0xa0 + #key) .. key .. "\0"
    count = count + 1
  end
  assert(count > 15 and count < 65536)
  return string.char(0xde, math.floor(count / 256), count % 256) .. table.concat(parts)
end

--- Whether undefined stands anywhere in a case's JSON.
local function has_undefined(json)
  if type(json) ~= "table" or json == null then return false end
  if json["$undefined"] then return true end
  for _, v in pairs(json) do
    if has_undefined(v) then return true end
  end
  return false
end

describe("msgpack vectors of the reference encoder", function()
  local vectors = support.vectors "msgpack.json"
  local seen = {}

  local function count(kind) seen[kind] = (seen[kind] or 0) + 1 end

  --- The value that a case's bytes stand for.
  local function meaning(case)
    if case.gen then return generate(case.gen) end
    -- msgpackr renames the key __proto__, for JavaScript's sake only.
    if case.desc == "__proto__ own key" then return { __proto__ = 1 } end
    if case.decodesTo ~= nil then return from_json(case.decodesTo) end
    return from_json(case.value)
  end

  local function check_bytes(case, bytes)
    assert.equal(case.len, #bytes, case.desc)
    if case.hex then
      assert.equal(case.hex, hex(bytes), case.desc)
    else
      assert.equal(case.head, hex(bytes):sub(1, #case.head), case.desc)
      assert.equal(case.tail, hex(bytes):sub(-#case.tail), case.desc)
      assert.equal(case.sha256, sha256(bytes), case.desc)
    end
  end

  --- The bytes of a case, also of those that give only a digest.
  local function bytes_of(case, value)
    if case.hex then return unhex(case.hex) end
    local bytes = type(value) == "table" and value.k0 and ordered_map_bytes(value)
      or case.group == "bin" and assert(encode(msgpack.bin(value)))
      or assert(encode(value))
    check_bytes(case, bytes)
    return bytes
  end

  it("are decoded and encoded again, each of them", function()
    for _, case in ipairs(vectors.cases) do
      if case.error then
        -- Integers beyond 64 bits and symbols are no Lua values; the map of
        -- 65536 keys is one, and has a form that msgpackr does not use.
        if case.gen then
          local bytes = assert(encode(generate(case.gen)))
          assert.equal("df00010000", hex(bytes:sub(1, 5)))
          assert.is_nil(difference(generate(case.gen), (decode(bytes))))
          count "map32"
        else
          count "no Lua value"
        end
      elseif case.group == "date" then
        local value, next_pos = decode(unhex(case.hex))
        assert.equal(case.len + 1, next_pos)
        if case.value["$date"] == null then
          assert.equal(null, value)
        else
          assert.is_true(msgpack.is_timestamp(value))
          assert.equal(case.value["$date"], value.seconds * 1000 + value.nanoseconds / 1e6)
          local bytes, err = encode { at = value }
          assert.is_nil(bytes)
          assert.matches("extensions are not written.*at at", err)
        end
        count "date"
      elseif case.value == "\237\160\128" then
        -- Half a surrogate pair as three bytes: not UTF-8, so bin when written.
        assert.equal("\237\160\128", (decode(unhex(case.hex))))
        assert.equal("c403eda080", hex(encode("\237\160\128")))
        count "not UTF-8"
      else
        local value = meaning(case)
        local bytes = bytes_of(case, value)
        local decoded, next_pos = decode(bytes)
        assert.equal(#bytes + 1, next_pos, case.desc)
        assert.is_nil(difference(value, decoded), case.desc)

        local json = case.decodesTo == nil and case.value or case.decodesTo
        local again = assert(encode(decoded))
        if has_undefined(json) then
          -- Extensions are not written: nil alone and in arrays, in maps nothing.
          assert.is_nil(difference(decoded == nil and null or decoded, (decode(again))), case.desc)
          assert.is_nil(again:find("\212\0\0", 1, true), case.desc)
          count "undefined"
        elseif case.group == "bigint" and #again < 9 then
          -- A small integer is a small integer, whatever its type was.
          assert.equal(again, encode(ffi.cast("int64_t", decoded)))
          count "smallest integer"
        elseif case.group == "bigint" and type(decoded) == "number" then
          assert.equal("cb", hex(again:sub(1, 1)))
          assert.equal(case.hex, hex(encode(ffi.cast("int64_t", decoded))))
          count "64-bit integer within 2^53"
        elseif case.group == "bin" then
          assert.equal(support.hex(bytes), hex(encode(msgpack.bin(decoded))), case.desc)
          count "bin"
        else
          assert.equal(hex(support.canonical(bytes)), hex(support.canonical(again)), case.desc)
          count "same bytes"
        end
      end
    end
    assert.equal(209, vectors.count)
    assert.equal(209, #vectors.cases)
    assert.same({
      ["no Lua value"] = 3,
      map32 = 1,
      date = 14,
      ["not UTF-8"] = 1,
      undefined = 8,
      ["smallest integer"] = 7,
      ["64-bit integer within 2^53"] = 3,
      bin = 11,
      ["same bytes"] = 161,
    }, seen)
  end)

  it("of other encoders are read by the specification", function()
    -- Where msgpackr reads something else than is written there, or we do.
    local c1 = "the byte c1 is not MessagePack"
    local key = "a map key is nil, NaN or no scalar"
    local extension = "unknown MessagePack extension type 114"
    local reasons = { [c1] = true, [key] = true, [extension] = true }
    local ours = {
      ["never used c1"] = c1,
      ["c1 with data"] = c1,
      ["map with nil key"] = key,
      ["map with int key"] = { [1] = 2 },
      ["trailing bytes"] = 1, -- decode tells where it stopped
      ["invalid UTF-8 in str"] = "\195(", -- bytes as they came
      ["record definition ext (msgpackr, type 0x72)"] = extension,
    }
    local refused, read = 0, 0
    for _, case in ipairs(vectors.decode) do
      local value, next_pos = decode(unhex(case.hex))
      local expected = ours[case.desc]
      if expected == nil and not case.error then
        expected = from_json(case.decodesTo)
      end
      if expected == nil and case.error or reasons[expected] then
        assert.is_nil(value, case.desc)
        assert.is_string(next_pos, case.desc)
        if expected then assert.equal(expected, next_pos) end
        refused = refused + 1
      else
        if type(expected) == "table" and expected.date then
          assert.equal(expected.date, value.seconds * 1000 + value.nanoseconds / 1e6)
        else
          assert.is_nil(difference(expected, value), case.desc)
        end
        assert.is_number(next_pos)
        read = read + 1
      end
    end
    assert.same({ 45, 9, 36 }, { #vectors.decode, refused, read })
  end)

  it("of the v2 server are read, and written the same but for the forms of numbers", function()
    local same, times, floats = 0, 0, 0
    for _, case in ipairs(vectors.rust.cases) do
      local bytes = unhex(case.hex)
      local value, next_pos = decode(bytes)
      assert.equal(#bytes + 1, next_pos, case.desc)
      assert.is_nil(difference(from_json(case.value), value), case.desc)
      local again = support.canonical(assert(encode(value)))
      if bytes:find("\203\64", 1, true) then
        -- Whole counter values are float64 there; as Lua numbers they are 3.
        assert.is_nil(difference(value, (decode(again))), case.desc)
        floats = floats + 1
      elseif bytes:find("\207\0\0\1\162", 1, true) then
        -- Its times are uint64, ours float64, both nine bytes.
        assert.equal(#bytes, #again, case.desc)
        assert.is_nil(difference(value, (decode(again))), case.desc)
        times = times + 1
      else
        assert.equal(hex(support.canonical(bytes)), hex(again), case.desc)
        same = same + 1
      end
    end
    assert.same({ 42, 29, 12, 1 }, { #vectors.rust.cases, same, times, floats })
  end)
end)
