--- The condition of a query, and that it says what a server would.
local cjson = require "cjson"
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local filter = require "wingman.client.query.filter"
local random = require "wingman.base.random"
local uuid = require "wingman.base.uuid"
local wingman = require "wingman"

local PATIENCE = 30

describe("the condition of a query", function()
  local function matches(where, value) return assert(filter.of(where, nil))(value) end

  it("without anything is met by all values but null", function()
    for _, value in ipairs { false, 0, "", {}, { n = 1 } } do assert.is_true(matches(nil, value)) end
    assert.is_false(matches(nil, core.null))
    assert.is_false(matches({}, core.null))
  end)

  it("compares fields with values, or by operators", function()
    for _, case in ipairs {
      { { n = 1 }, { n = 1 }, true }, { { n = 1 }, { n = "1" }, false }, { { n = 1 }, { m = 1 }, false }, { { n = 1 }, 1, false },
      { { n = false }, { n = false }, true }, { { n = false }, { n = 0 }, false }, { { n = "" }, { n = "" }, true },
      { { n = { eq = { 1, { a = 2 } } } }, { n = { 1, { a = 2 } } }, true }, { { n = { eq = { a = 1 } } }, { n = { a = 1, b = 1 } }, false },
      { { n = { neq = 1 } }, { n = 2 }, true }, { { n = { ["$ne"] = 1 } }, { n = 1 }, false }, { { n = { neq = 1 } }, {}, true },
      { { n = { gt = 1 } }, { n = 1 }, false }, { { n = { gt = 1 } }, { n = 1.5 }, true }, { { n = { ["$gte"] = 1 } }, { n = 1 }, true },
      { { n = { lt = 1 } }, { n = -1 }, true }, { { n = { lte = "b" } }, { n = "b" }, true }, { { n = { lte = "b" } }, { n = 1 }, false },
      { { n = { gte = 0 } }, {}, false }, { { n = { gte = 0 } }, { n = true }, false }, { { n = { gt = "a" } }, { n = "ä" }, true },
      { { n = { ["in"] = { 1, "x", false } } }, { n = false }, true }, { { n = { ["in"] = {} } }, { n = 1 }, false },
      { { n = { between = { 1, 3 } } }, { n = 3 }, true }, { { n = { between = { 1, 3 } } }, { n = 3.1 }, false },
      { { n = { gte = 1, lt = 3 }, m = "x" }, { n = 2, m = "x" }, true }, { { n = { gte = 1, lt = 3 }, m = "x" }, { n = 3, m = "x" }, false },
      { { n = core.null }, {}, true }, { { n = core.null }, { n = core.null }, true }, { { n = { neq = core.null } }, { n = 0 }, true },
    } do
      assert.equal(case[3], matches(case[1], case[2]), cjson.encode(case))
    end
  end)

  it("compares whole numbers beyond 2^53 exactly, with each other and with others", function()
    local big, bigger, most = 9007199254740993LL, 9007199254740995LL, 18446744073709551615ULL
    for _, case in ipairs {
      { { n = big }, 9007199254740993ULL, true }, { { n = big }, 2 ^ 53, false }, { { n = -1 }, most, false }, { { n = most }, -1LL, false },
      { { n = 2 ^ 64 }, most, false }, { { n = { neq = most } }, 2 ^ 64, true }, { { n = { ["in"] = { 1, big } } }, big, true },
      { { n = { gt = 2 ^ 53 } }, big, true }, { { n = { gt = big } }, 2 ^ 53, false }, { { n = { lt = bigger } }, big, true },
      { { n = { gte = big } }, big, true }, { { n = { lte = 2 ^ 64 } }, most, true }, { { n = { gte = -1 } }, most, true },
      { { n = { gt = most } }, 1e300, true }, { { n = { lt = -1e300 } }, -9007199254740993LL, false }, { { n = { lt = 0 / 0 } }, big, false },
      { { n = { between = { 0, big } } }, big, true }, { { n = { between = { big, bigger } } }, 2 ^ 53, false },
      { { n = { between = { big, 1e300 } } }, most, true }, { { n = { gt = 1 } }, 0 / 0, false }, { { n = { gt = "a" } }, big, false },
      { { n = { gt = big } }, "a", false }, { { n = { neq = 0 / 0 } }, big, true }, { { n = big }, true, false },
    } do
      assert.equal(case[3], matches(case[1], { n = case[2] }), tostring(next(case[1])) .. " " .. tostring(case[2]) .. " " .. _)
    end
  end)

  it("in TopGun's own form has and, or and not; with where, both must hold", function()
    local function leaf(op, value) return { op = op, attribute = "n", value = value } end
    local either = { op = "or", children = { leaf("lt", 2), leaf("gt", 8) } }
    local test = assert(filter.of({ m = 1 }, { op = "and", children = { either, { op = "not", children = { leaf("eq", 9) } } } }))
    assert.is_true(test { n = 1, m = 1 })
    assert.is_true(test { n = 10, m = 1 })
    assert.is_false(test { n = 9, m = 1 })
    assert.is_false(test { n = 5, m = 1 })
    assert.is_false(test { n = 1, m = 2 })
  end)
end)

-- A condition that servers of both families know, for fields that are there.
local function condition(rng, depth)
  local kind = depth < 2 and rng:int(1, 3) or 3
  if kind == 1 then return { op = rng:float() < 0.5 and "and" or "or", children = { condition(rng, depth + 1), condition(rng, depth + 1) } } end
  local is_text = rng:float() < 0.3
  local ops = { "eq", "neq", "gt", "gte", "lt", "lte" }
  return { op = ops[rng:int(1, #ops)], attribute = is_text and "team" or "n", value = is_text and "t" .. rng:int(1, 5) or rng:int(1, 40) / 2 }
end

clusters.on_each(getfenv(), "a condition", function(shared, it)
  it("means here what it means to a server", function()
    local name, client, rng = shared:map_name(), shared:started(), random.new(7, 1)
    for i = 1, 200 do assert(client:map(name):set("key-" .. i, { n = rng:int(1, 40) / 2, team = "t" .. rng:int(1, 5) })) end
    assert(client:drain(PATIENCE))
    for i = 1, 40 do
      local predicate, id, found = condition(rng, 0), uuid.v4(), {}
      local results = assert(client:send_with_retry(
        { type = "QUERY_SUB", payload = { queryId = id, mapName = name, query = { predicate = predicate } } }, nil, {
          timeout = PATIENCE,
          answer = function(message) return message.type == "QUERY_RESP" and message.payload.queryId == id end,
        })).payload.results
      for _, row in ipairs(results) do found[row.key] = row.value end
      assert.same(found, wingman.by_key(assert(client:query(name, { predicate = predicate }))), "query " .. i .. ": " .. cjson.encode(predicate))
    end
  end)
end, { "sim://1", "sim://1?dialect=0.11", "topgun://1" })
