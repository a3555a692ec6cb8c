local core = require "wingman.core"
local wingman = require "wingman"

local KEYS = { "a", "b", "id", "name", "value", "x1", "active", ("k"):rep(31), ("k"):rep(32), "ünï" }

local function random_number()
  local kind = math.random(6)
  if kind == 1 then return math.random(-130, 300) end
  if kind == 2 then return math.random(-70000, 70000) end
  if kind == 3 then return (math.random() < 0.5 and -1 or 1) * 2 ^ math.random(7, 53) + math.random(-1, 1) end
  if kind == 4 then return math.random() * 1e6 end
  if kind == 5 then return -0.0 end
  return ({ 1 / 0, -1 / 0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, -32, -33, -128, -129, -32768,
    -32769, -2147483648, -2147483649 })[math.random(18)]
end

local function random_string()
  local length = ({ 0, 1, 31, 32, 255, 256, 1000, 70000 })[math.random(8)]
  local text = ("x"):rep(length)
  if math.random(6) == 1 then text = text .. "é" end
  if math.random(9) == 1 then text = text .. "\255" end
  return text
end

local function random_value(depth)
  local kind = math.random(8)
  if kind <= 3 then return random_number() end
  if kind <= 5 then return random_string() end
  if kind == 6 then return math.random() < 0.5 end
  if kind == 7 and depth < 2 then return { random_number(), nested = nil } end
  return core.null
end

local function random_table()
  local value = {}
  for _ = 1, math.random(0, 9) do value[KEYS[math.random(#KEYS)]] = random_value(1) end
  return value
end

-- The module as a LuaJIT without table.nkeys loads it.
local function without_nkeys()
  local module, nkeys = package.loaded["wingman.client.flat_encoder"], package.loaded["table.nkeys"]
  package.loaded["wingman.client.flat_encoder"], package.loaded["table.nkeys"] = nil, nil
  package.preload["table.nkeys"] = function() error "there is none" end
  local fallback = require "wingman.client.flat_encoder"
  package.preload["table.nkeys"] = nil
  package.loaded["wingman.client.flat_encoder"], package.loaded["table.nkeys"] = module, nkeys
  return fallback
end

local as_loaded = require "wingman.client.flat_encoder".setter

for name, setter in pairs { ["shape encoder"] = as_loaded, ["shape encoder without table.nkeys"] = without_nkeys().setter } do
describe(name, function()
  local client
  before_each(function()
    require "wingman.client.flat_encoder".setter = setter
    client = wingman.client { server = "ws://127.0.0.1:1" }
  end)
  after_each(function()
    client:close()
    require "wingman.client.flat_encoder".setter = as_loaded
  end)

  local function recorded() return client.core:operations(0) end

  it("writes what the general encoder writes", function()
    local seed = os.time()
    math.randomseed(seed)
    local map, expected = client:map "m", {}
    for i = 1, 3000 do
      expected[i] = random_table()
      assert(map:set("k", expected[i]))
    end
    local ops = recorded()
    assert.equal(3000, #ops)
    for i, op in ipairs(ops) do
      local context = ("seed %d, value %d"):format(seed, i)
      local value = core.decode(op.bytes).record.value
      local general = core.encode(expected[i])
      assert.same(core.decode(general), value, context)
      -- The order of fields may differ, the forms of the values may not.
      assert.equal(#general, #core.encode(value), context)
      local head = #op.bytes - #general
      assert.same(core.decode(general), core.decode(op.bytes:sub(head + 1)), context)
    end
  end)

  it("notices when values change their shape, their kinds or their metatable", function()
    local map = client:map "m"
    local marked = wingman.array { 1, 2 }
    for _, value in ipairs { { a = 1 }, { a = 1, b = 2 }, { b = 2 }, { a = "x" }, { a = { 1 } }, { a = 1 }, marked, { a = true } } do
      assert(map:set("k", value))
    end
    local values = {}
    for i, op in ipairs(recorded()) do values[i] = core.decode(op.bytes).record.value end
    assert.same({ a = 1 }, values[1])
    assert.same({ a = 1, b = 2 }, values[2])
    assert.same({ b = 2 }, values[3])
    assert.same({ a = "x" }, values[4])
    assert.same({ a = { 1 } }, values[5])
    assert.same({ a = 1 }, values[6])
    assert.equal(2, #values[7])
    assert.same({ a = true }, values[8])
  end)

  it("writes 16 fields and more", function()
    local map, value = client:map "m", {}
    for i = 1, 16 do value["field" .. i] = i end
    assert(map:set("sixteen", value))
    local more = { extra = true }
    for field, v in pairs(value) do more[field] = v end
    assert(map:set("seventeen", more))
    assert.same(value, map:get "sixteen")
    assert.same(more, map:get "seventeen")
  end)
end)
end
