--- What scenarios write: sizes, templates, rows of files.
local data = require "wingman.load.input.data"
local load_run = require "spec.support.load_run"
local payload = require "wingman.load.input.payload"
local random = require "wingman.base.random"
local sizes = require "wingman.load.input.sizes"

local function user() return { rng = random.new(11, 1), id = 4, iteration = 9, env = { zone = "b" }, key = function() return "key-3" end } end

local function mean_of(size, n)
  local vu, sum = user(), 0
  for _ = 1, n do sum = sum + size(vu) end
  return sum / n
end

describe("sizes", function()
  it("follow their distribution", function()
    assert.equal(7, mean_of(sizes.fixed(7), 3))
    assert.near(55, mean_of(sizes.uniform(10, 100), 20000), 1)
    assert.near(500, mean_of(sizes.normal(500, 50), 20000), 3)
    assert.near(200 * math.exp(0.5), mean_of(sizes.lognormal(200, 1), 100000), 10)
    assert.near(0.9 * 100 + 0.1 * 10000, mean_of(sizes.mix { { 100, 90 }, { 10000, 10 } }, 50000), 50)
  end)

  it("are whole, never negative, never above the limit", function()
    local vu, wild, wide = user(), sizes.normal(10, 100), sizes.lognormal(1000, 5)
    for _ = 1, 10000 do
      local a, b = wild(vu), wide(vu)
      assert.is_true(a >= 0 and a % 1 == 0 and b <= sizes.most and b % 1 == 0)
    end
  end)

  it("refuse nonsense by name", function()
    for what, call in pairs { uniform = { 10, 5 }, fixed = { -1 }, normal = { 1e9, 1 } } do
      local ok, err = pcall(sizes[what], unpack(call))
      assert.is_false(ok)
      assert.truthy(err:find("load.sizes." .. what, 1, true), err)
    end
  end)
end)

describe("a text", function()
  it("has its length and differs from the next", function()
    local rng = random.new(1, 1)
    for _, n in ipairs { 0, 1, 100, 65536, 1000000 } do assert.equal(n, #payload.text(rng, n)) end
    assert.are_not.equal(payload.text(rng, 50), payload.text(rng, 50))
  end)
end)

describe("a template", function()
  it("is filled anew each time, and keeps types", function()
    local fill = payload.template {
      id = "${vu}", n = "${int:5..6}", name = "u-${vu}-${iteration}", key = "${key}", zone = "${env:zone}", kind = "${choice:x|y}",
      fixed = 5, yes = true, no = false, deep = { text = "${text:20}" }, own = function(vu) return vu.id * 2 end,
    }
    local vu = user()
    local a, b = fill(vu), fill(vu)
    assert.equal(4, a.id)
    assert.is_true(a.n == 5 or a.n == 6)
    assert.equal("u-4-9", a.name)
    assert.equal("key-3", a.key)
    assert.equal("b", a.zone)
    assert.is_true(a.kind == "x" or a.kind == "y")
    assert.same({ 5, true, false, 8 }, { a.fixed, a.yes, a.no, a.own })
    assert.equal(20, #a.deep.text)
    assert.are_not.equal(a.deep.text, b.deep.text)
    assert.are_not.equal(a, b)
  end)

  it("names what it does not know", function()
    local ok, err = pcall(payload.template, { a = { b = "${integer:1..2}" } })
    assert.is_false(ok)
    assert.truthy(err:find("template.a.b: '${integer:1..2}'", 1, true), err)
    assert.is_false(pcall(payload.template, "${int:5..1}"))
  end)
end)

describe("a data set", function()
  after_each(load_run.clean)

  it("is read from CSV, with quotes and numbers", function()
    local path = load_run.file('name,age,note\r\nAnn,42,"a, ""b""\nc"\nBen,007,\n', ".csv")
    local set = data.open(path)
    assert.equal(2, set:size())
    assert.same({ name = "Ann", age = 42, note = 'a, "b"\nc' }, set:at(1))
    assert.same({ name = "Ben", age = "007", note = "" }, set:at(2))
    assert.equal(set, data.open(path))
  end)

  it("is read from JSON and NDJSON", function()
    assert.equal(3, data.open(load_run.file('[{"a":1},{"a":2},{"a":3}]', ".json")):size())
    assert.same({ a = 2 }, data.open(load_run.file('{"a":1}\n\n{"a":2}', ".ndjson")):at(2))
  end)

  it("is taken in turns, by shards too", function()
    local set = data.open(load_run.file('[{"n":1},{"n":2},{"n":3},{"n":4},{"n":5},{"n":6}]', ".json"))
    local seen = {}
    for index = 0, 2 do
      data.split { index = index, count = 3 }
      for _ = 1, 2 do seen[#seen + 1] = set:next().n end
    end
    assert.same({ 1, 4, 2, 5, 3, 6 }, seen)
    data.split { index = 0, count = 1 }
    for _ = 1, 6 do set:next() end
    assert.equal(1, set:next().n)
  end)

  it("that cannot be read is an error with the place", function()
    for text, case in pairs {
      ['a,b\n1\n'] = { ".csv", "record 2 has 1 fields" }, ['a\n"x'] = { ".csv", "does not end" }, ['{"a":1}'] = { ".json", "a JSON array" },
      ['{"a":1}\n{'] = { ".ndjson", "line 2" }, ["a\n"] = { ".csv", "has no rows" },
    } do
      local ok, err = pcall(data.open, load_run.file(text, case[1]))
      assert.is_false(ok, text)
      assert.truthy(tostring(err):find(case[2], 1, true), tostring(err))
      assert.equal(2, err.exit_code)
    end
    assert.is_false(pcall(data.open, "/nowhere.csv"))
    assert.is_false(pcall(data.open, "x.xml"))
  end)
end)
