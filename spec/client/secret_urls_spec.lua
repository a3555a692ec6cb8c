--- A token in the query of a node's URL, as load balancers take it, is in nothing that a client,
--- a load test or the prompt shows.
local circuit = require "wingman.policy.circuit"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local events = require "wingman.client.events"
local files = require "spec.support.files"
local inspect = require "wingman.inspect"
local load_run = require "spec.support.load_run"
local process = require "wingman.loop.process"
local sim = require "wingman.sim"
local wingman = require "wingman"

local SECRET = "hunter2"

-- Where a value has the secret in it; nil: nowhere.
local function place_of(value, place, seen)
  if type(value) == "string" then return value:find(SECRET, 1, true) and ("%s: %s"):format(place, value) or nil end
  if type(value) ~= "table" or seen[value] then return nil end
  seen[value] = true
  for key, part in pairs(value) do
    local found = place_of(key, place .. "[key]", seen) or place_of(part, place .. "." .. tostring(key), seen)
    if found then return found end
  end
  local text = getmetatable(value) and getmetatable(value).__tostring and tostring(value)
  return text and place_of(text, "tostring " .. place, seen)
end

local function assert_hidden(value, place)
  local found = place_of(value, place, {})
  assert.is_nil(found, found)
end

local function seeds_of(cluster)
  local seeds = {}
  for i, url in ipairs(cluster.urls) do seeds[i] = url .. "/ws?token=" .. SECRET .. "&v=" .. SECRET end
  return seeds
end

-- A client whose log and events are kept.
local function watched(options)
  local kept = {}
  options.log_to = function(...) kept[#kept + 1] = { "log", ... } end
  local client = assert(wingman.client(options))
  for name in pairs(events) do
    client:on(name, function(...)
      if name ~= "frame" then kept[#kept + 1] = { name, ... } end
    end)
  end
  return client, kept
end

local function run(args)
  return load_run.finish(assert(process.spawn { file = process.wingman_path(), args = args, stderr = true }))
end

describe("A token in the query of a URL", function()
  local cluster

  setup(function() cluster = assert(sim.start { nodes = 3 }) end)
  teardown(function() cluster:stop() end)
  after_each(load_run.clean)

  it("is in the URLs that policies are given, which may connect with them", function()
    local urls = {}
    local client = watched {
      cluster = { seeds = seeds_of(cluster) }, auth = { token = cluster.token },
      circuit = function(node)
        urls[#urls + 1] = node.url
        return circuit.never()
      end,
      reconnect = function(node)
        urls[#urls + 1] = node.url
        return 0.01
      end,
    }
    assert(client:start())
    assert(cluster:kill "node-3")
    eventually("both policies are asked", function() return #urls > 3, urls end)
    for _, url in ipairs(urls) do assert.truthy(url:find("?token=" .. SECRET .. "&v=" .. SECRET, 1, true), url) end
    client:close()
    assert(cluster:restart "node-3")
  end)

  it("is in no event, log, error or figure of a client", function()
    local client, kept = watched { cluster = { seeds = seeds_of(cluster) }, auth = { token = cluster.token } }
    assert(client:start())
    local map = client:map "m"
    for i = 1, 100 do assert(map:set("key-" .. i, i)) end
    local traced = {}
    local trace = inspect.trace(client, function(what) traced[#traced + 1] = what end)
    assert(client:drain(60))
    trace.stop()
    assert.is_true(#traced > 0)
    assert_hidden(traced, "trace")
    assert.truthy(client:health().nodes[1].url:find("/ws?token=***&v=***", 1, true), client:health().nodes[1].url)
    assert.truthy(client:query "m")
    assert_hidden({ client:holdings("ws://nobody/?token=hunter2", "m") }, "an error of holdings")
    assert(cluster:kill "node-2")
    eventually("the loss is noticed", function() return client:health().connected == 2, client:health().connected end)
    assert(map:set("key-1", 2))
    assert_hidden({ client:send_with_retry({ type = "QUERY_SUB", payload = {} }, nil, { answer = function() end, timeout = 0.01 }) }, "an error of send_with_retry")
    assert(client:drain(60))
    for _, name in ipairs { "health", "stats", "router_stats", "connected_nodes", "failovers", "routing_metrics", "backlog", "partition_map" } do
      assert_hidden({ client[name](client) }, name)
    end
    for _, name in ipairs { "nodes", "map", "stats" } do assert_hidden(inspect[name](client), "inspect." .. name) end
    assert_hidden(inspect.route(client, "key-1"), "inspect.route")
    client:close()
    assert.is_true(#kept > 3)
    assert_hidden(kept, "what was logged and emitted")
    assert(cluster:restart "node-2")
  end)

  it("is not in the error of a start that fails, nor in that of a wrong URL", function()
    local client, kept = watched {
      cluster = { seeds = { "ws://127.0.0.1:1/?token=hunter2" } }, reconnect = function() return nil end, start_timeout = 20,
    }
    local started, err = client:start()
    assert.is_nil(started)
    assert_hidden(err, "the error")
    assert.truthy(tostring(err):find("ws://127.0.0.1:1/?token=***: ", 1, true), tostring(err))
    client:close()
    assert_hidden(kept, "what was logged and emitted")
    for _, url in ipairs { "http://h/?token=hunter2", "ws://ann@h/?token=hunter2", "ws://h/?token=hunter2,http://h/?token=hunter2", "h:1/?hunter2" } do
      local ok, wrong = pcall(wingman.client, { cluster = url })
      assert.is_false(ok)
      assert_hidden(tostring(wrong), url)
    end
  end)

  it("is not in the events and errors of a client of one server", function()
    local client, kept = watched { server = seeds_of(cluster)[1], auth = { token = cluster.token } }
    assert(client:start())
    assert(client:map("m"):set("k", 1))
    assert(client:drain(60))
    assert_hidden({ client:health(), client:connected_nodes(), inspect.nodes(client) }, "figures")
    client:close()
    assert_hidden(kept, "what was logged and emitted")
  end)

  it("is not in the dead letters of a client of one server, nor in the file that keeps them", function()
    local log = load_run.file ""
    os.remove(log)
    local client = watched {
      server = seeds_of(cluster)[1], auth = { token = cluster.token }, batch = { ack_timeout = 30 }, oplog = { path = log },
    }
    assert(client:start())
    assert(cluster:fault("node-1", "ack-drop", 1))
    local seq, op_id = assert(client:map("m"):set("k", 1)), nil
    eventually("the write is sent", function()
      for _, op in ipairs(client.core:operations(0)) do op_id = op.in_flight and op.id end
      return op_id
    end)
    local refusal = core.encode { type = "OP_REJECTED", payload = { opId = op_id, reason = "no" } }
    assert(cluster:command("send node-1 binary " .. refusal:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)))
    assert.equal("REJECTED", select(2, client:wait(seq, 60)).code)
    assert.truthy(client:rejected()[1].node:find("/ws?token=***&v=***", 1, true), client:rejected()[1].node)
    client:close()
    assert_hidden(files.read(log), "the file")
  end)

  it("is in no report, live figure or log of a load test, with users' own connections too", function()
    local outs = {}
    local options = {}
    for _, form in ipairs { "json", "csv", "hgrm", "junit", "html", "text", "prometheus" } do
      outs[form] = load_run.file ""
      options[#options + 1], options[#options + 2] = "--out", form .. "=" .. outs[form]
    end
    for _, workers in ipairs { "1", "2" } do
      local given = { unpack(options) }
      if workers ~= "1" then given[#given + 1], given[#given + 2] = "--workers", workers end
      local script = ([[
        local load = require "wingman.load"
        return load.test {
          cluster = "%s", auth = { token = "%s" }, connections = "per-vu",
          scenarios = { main = { executor = "per-vu-iterations", vus = 2, iterations = 20,
            exec = function(vu)
              assert(vu:connect())
              assert(vu:wait(vu:map "m":set("k", 1)))
            end } },
          thresholds = { ops_acked = { "count==40" } },
        }]]):format(table.concat(seeds_of(cluster), ","), cluster.token)
      local code, out, err = load_run.finish(load_run.start(script, given))
      assert.equal(0, code, out .. err)
      assert_hidden(out .. err, "the output")
      for form, path in pairs(outs) do
        local text = files.read(path)
        assert.is_true(#text > 0, form)
        assert_hidden(text, "the report as " .. form)
      end
      assert.truthy(files.read(outs.html):find("?token=***&amp;v=***", 1, true))
    end
  end)

  it("is not in what the prompt, `wingman probe` and `wingman bench` show", function()
    local url = seeds_of(cluster)[1]
    local token = load_run.file(cluster.token)
    local code, out, err = run { "repl", "--token-file", token, url, "-e", ".nodes", "-e", ".route k", "-e", "client", "-e", "client:health()",
      "-e", ".stats", "-e", ".map" }
    assert.equal(0, code, err)
    assert_hidden(out .. err, "the prompt")
    for _, arguments in ipairs { {}, { "--json" } } do
      code, out, err = run { "probe", "--token-file", token, url, "ws://127.0.0.1:1/?token=hunter2", unpack(arguments) }
      assert.equal(1, code, out .. err)
      assert_hidden(out .. err, "probe")
    end
    code, out, err = run { "bench", "--token-file", token, url, "--rate", "100", "--duration", "300ms" }
    assert.equal(0, code, out .. err)
    assert_hidden(out .. err, "bench")
    code, out, err = run { "bench", "ws://127.0.0.1:1/?token=hunter2", "--rate", "100", "--duration", "300ms" }
    assert.equal(3, code, out .. err)
    assert_hidden(out .. err, "bench")
  end)
end)
