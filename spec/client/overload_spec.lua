--- More than a server takes at once, and more than it answers at once.
local build = require "spec.support.build"
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"

local function set_all(map, count, value)
  for i = 1, count do assert(map:set("key-" .. i, value or i)) end
end

-- Server 2.2.0 stands still while it writes to disk behind 10,000 operations: it neither
-- answers nor accepts a connection, for 30 s on a machine that had much else to do. A query
-- of that time fails, and is asked again.
local STANDSTILL, PATIENCE = 120, 400
-- With the sanitizers it is not waited for again.
local function with_real(simulated, real) return build.is_sanitized and { simulated } or { simulated, real } end

-- It stands still once more for each 10,000: what is awaited is that it goes on.
local function drain(client)
  while true do
    local left = client:pending_ops()
    local drained, err = client:drain(STANDSTILL)
    if drained then return end
    assert(client:pending_ops() < left, err)
  end
end

local function found_by_query(client, name, options)
  options = options or {}
  options.timeout = STANDSTILL
  return (eventually("a query is answered", function() return client:query(name, options) end, PATIENCE))
end

-- The errors of an overload name no operation: 429 in the simulated cluster, 500
-- "Write-behind capacity exceeded" (10,000 operations) in the real one.
clusters.on_each(getfenv(), "overload", function(shared, it)
  it("slows a connection down and loses nothing", function()
    -- One real server: of a cluster, each node would have to be given more than it takes.
    local client = shared:started(shared.is_real and { server = shared.cluster.urls[1] } or nil)
    local count = shared.is_real and 25000 or 3000
    local name = shared:map_name()
    local map = client:map(name)
    set_all(map, count)
    drain(client)
    assert.is_true(client:stats().overloads > 0, "there was no overload")
    assert.equal(count, #found_by_query(client, name))
  end)
end, with_real("sim://3?rate=300", "topgun://1"))

-- A v2 server leaves out of its answer, silently, what goes beyond 10,000 rows.
clusters.on_each(getfenv(), "queries", function(shared, it)
  it("are complete beyond what a server answers at once", function()
    local client = shared:started { server = shared.cluster.urls[1] }
    local name = shared:map_name()
    local map = client:map(name)
    for i = 1, 10500 do assert(map:set("key-" .. i, { i = i })) end
    drain(client)
    assert.equal(10500, #found_by_query(client, name))
    local rows = found_by_query(client, name, { where = { i = { ["$gt"] = 100 } }, sort = "i", offset = 10350 })
    assert.same({ 50, 10451, 10500 }, { #rows, rows[1].value.i, rows[50].value.i })
  end)
end, with_real("sim://1", "topgun://1"))
