--- The LuaLS types of lua/wingman, as a checker sees them. WINGMAN_EMMYLUA_CHECK is the path of
--- `emmylua_check`; CONTRIBUTING says where it comes from.
local cjson = require "cjson"
local files = require "spec.support.files"
local pages = require "spec.support.pages"
local process = require "wingman.loop.process"

local PATIENCE = 240

local checker = os.getenv "WINGMAN_EMMYLUA_CHECK"

--- What a checker says of a program that is right as far as it can know: values that may be nil.
local NOT_MEANT = { ["need-check-nil"] = true, ["unnecessary-if"] = true }
--- Severities above this are hints.
local WARNING = 2

local CONFIGURATION = [[
{ "runtime.version": "LuaJIT", "runtime.path": ["?.lua", "?/init.lua"], "workspace.library": ["%s/lua"] }
]]

-- Scripts, each with what the checker has to say: "LINE CODE".
local HEAD = [[
local wingman, load, inspect = require "wingman", require "wingman.load", require "wingman.inspect"
local sim, topgun = require "wingman.sim", require "wingman.topgun"
local client = assert(wingman.client { cluster = "sim://3" })
local map = client:map "players"
local function test(scenario) return load.test { cluster = "sim://3", scenarios = { writes = scenario } } end
local function write(vu) vu:map "bench":set(vu:key(), { v = vu.iteration }) end
]]

local right = [[
client:on("node_lost", function(node) print(node.id) end)
assert(client:start())
assert(map:set("ann", { x = 1 }, { on_ack = function(ok, err) print(ok, err) end }))
map:on("change", function(key, value) print(key, value) end)
assert(client:drain "5s")
for _, node in ipairs(client:health().nodes) do print(node.url, client:routing_metrics().direct_routes, inspect.nodes(client)) end
assert(assert(client:cluster()):kill "node-1")
local cluster = assert(sim.start { nodes = 2, dialect = "0.11" })
local other = wingman.client { cluster = { seeds = cluster.urls }, auth = { token = cluster.token },
  batch = { ops = 10, ack_timeout = "2s" }, oplog = { when_full = "fail" }, reconnect = { first = 0.1 } }
assert(other):close()
cluster:stop()
assert(topgun.start { nodes = 3 }):stop()
local orders = load.counter "orders"
return load.test {
  cluster = "sim://3", drain = "10s", client = { batch = { linger = 0.01 } },
  setup = function(hand) hand.client:map "bench":set("first", 1) end,
  scenarios = {
    writes = { executor = "constant-arrival-rate", rate = 20, duration = "1s", exec = write, keys = { count = 10 } },
    users = { executor = "ramping-vus", stages = { { duration = "1s", target = 3 } },
      exec = function(vu)
        orders:add(1)
        vu:check("it is there", vu:map "bench":get(vu:key()) ~= nil)
        vu:sleep "10ms"
      end },
  },
  nemesis = { { at = "500ms", kill = "owner-of:key-1" }, { at = "700ms", restart = "last" } },
  thresholds = { op_latency = { "p(99)<50ms", { "max<1s", abort = true, delay = "1s" } }, ops_unacknowledged = "count==0" },
}
]]

local wrong = {
  ["an option of a client"] = { 'wingman.client { cluster = "sim://3", bach = { ops = 1 } }', "param-type-mismatch" },
  ["an option in a group"] = { 'wingman.client { cluster = "sim://3", batch = { opps = 1 } }', "assign-type-mismatch" },
  ["a value of an option"] = { 'wingman.client { cluster = "sim://3", oplog = { when_full = "never" } }', "assign-type-mismatch" },
  ["the kind of an option"] = { 'wingman.client { cluster = "sim://3", batch = { ops = "1" } }', "assign-type-mismatch" },
  ["an event of a client"] = { 'client:on("node_gone", print)', "param-type-mismatch" },
  ["a method of a client"] = { "client:drian(5)", "undefined-field" },
  ["a field of what a client returns"] = { "print(client:health().node)", "undefined-field" },
  ["an event of a map"] = { 'map:on("chnge", print)', "param-type-mismatch" },
  ["an option of a write"] = { 'map:set("ann", 1, { on_akc = print })', "param-type-mismatch" },
  ["an option of a query"] = { 'client:query("players", { were = { x = 1 } })', "param-type-mismatch" },
  ["a method of a map"] = { 'map:sett("ann", 1)', "undefined-field" },
  ["a function of wingman"] = { "wingman.slep(1)", "undefined-field" },
  ["a function of wingman.inspect"] = { "inspect.nods(client)", "undefined-field" },
  ["a name of an order"] = { 'inspect.sim(client, "kil", 1)', "param-type-mismatch" },
  ["a method of an embedded cluster"] = { 'assert(client:cluster()):kil "node-1"', "undefined-field" },
  ["an option of a simulated cluster"] = { "sim.start { nods = 3 }", "param-type-mismatch" },
  ["a method of a simulated cluster"] = { 'assert(sim.start()):kil "node-1"', "undefined-field" },
  ["an option of a real cluster"] = { "topgun.start { nods = 3 }", "param-type-mismatch" },
  ["a method of a real cluster"] = { 'assert(topgun.start()):kil "node-1"', "undefined-field" },
  ["an option of a load test"] = { 'load.test { cluster = "sim://3", seeed = 1, scenarios = {} }', "param-type-mismatch" },
  ["an option of a load test's client"] = { 'load.test { cluster = "sim://3", client = { bach = {} }, scenarios = {} }', "assign-type-mismatch" },
  ["a function of wingman.load"] = { 'load.conter "orders"', "undefined-field" },
  ["a method of a metric"] = { 'load.counter "orders":ad(1)', "undefined-field" },
  ["an executor"] = { 'load.test { cluster = "sim://3", scenarios = { a = { executor = "constant-vu", vus = 1, duration = 1, exec = write } } }',
    "assign-type-mismatch" },
  ["an option of another executor"] = {
    'load.test { cluster = "sim://3", scenarios = { a = { executor = "constant-vus", vus = 1, rate = 1, duration = 1, exec = write } } }',
    "assign-type-mismatch" },
  ["an option of keys"] = { [[
load.test { cluster = "sim://3",
  scenarios = { a = { executor = "constant-vus", vus = 1, duration = 1, exec = write, keys = { cont = 1 } } } }]], "assign-type-mismatch" },
  ["a planned fault"] = { 'load.test { cluster = "sim://3", scenarios = {}, nemesis = { { at = "1s", kil = "last" } } }', "assign-type-mismatch" },
  ["a method of a user"] = { [[
load.test { cluster = "sim://3",
  scenarios = { a = { executor = "constant-vus", vus = 1, duration = 1, exec = function(vu) vu:slep(1) end } } }]], "undefined-field" },
  ["a method of a client in the set-up"] = {
    'load.test { cluster = "sim://3", scenarios = {}, setup = function(hand) hand.client:drian() end }', "undefined-field" },
}

local folder

-- What the checker says of the files of a folder: path -> its warnings and errors.
local function check(directory)
  local output = folder .. "/findings.json"
  local child = assert(process.spawn { file = checker, args = { directory, "-f", "json", "--output", output }, stderr = true })
  child:read_all(PATIENCE)
  child:wait(PATIENCE)
  child:close()
  local found = {}
  for _, file in ipairs(cjson.decode(files.read(output))) do
    local list = {}
    for _, one in ipairs(file.diagnostics) do
      if one.severity <= WARNING then list[#list + 1] = one end
    end
    found[file.file] = list
  end
  return found
end

local function texts(findings)
  local list = {}
  for i, one in ipairs(findings) do list[i] = ("line %d: %s: %s"):format(one.range.start.line + 1, one.code, one.message) end
  return table.concat(list, "\n")
end

local function path_of(name) return ("%s/%s.lua"):format(folder, (name:gsub("%W", "_"))) end

-- Without what is not meant.
local function meant(findings)
  local list = {}
  for _, one in ipairs(findings) do
    if not NOT_MEANT[one.code] then list[#list + 1] = one end
  end
  return list
end

describe("the types of scripts", function()
  if not checker then
    pending "WINGMAN_EMMYLUA_CHECK does not name a checker of LuaLS types"
    return
  end

  local found

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    assert.equal(0, os.execute(("mkdir '%s'"):format(folder)))
    local root = assert(io.popen "pwd"):read "*l"
    files.write(folder .. "/.luarc.json", CONFIGURATION:format(root))
    files.write(folder .. "/right.lua", HEAD .. right)
    for name, case in pairs(wrong) do files.write(path_of(name), HEAD .. case[1] .. "\n") end
    for _, path in ipairs(pages.list()) do
      for _, block in ipairs(pages.blocks(path)) do
        if block.language == "lua" and (block.info == "" or block.info == "load" or block.info == "plugin") then
          files.write(("%s/page_%s_%d.lua"):format(folder, path:gsub("%W", "_"), block.line), block.text)
        end
      end
    end
    assert.equal(0, os.execute(("cp -r scripts/load '%s' && cp scripts/plugins/tick_plugin.lua '%s/load'"):format(folder, folder)))
    found = check(folder)
  end)
  teardown(function() os.execute(("rm -r '%s'"):format(folder)) end)

  it("have nothing to say of a script that is right", function()
    assert.equal("", texts(assert(found[folder .. "/right.lua"], "right.lua was not read")))
  end)

  for name, case in pairs(wrong) do
    it("find " .. name .. " that does not exist", function()
      local findings = assert(found[path_of(name)], "the script was not read")
      assert.equal(1, #findings, texts(findings))
      assert.equal(case[2], findings[1].code, texts(findings))
      assert.is_true(findings[1].range.start.line + 1 >= 7, texts(findings))
    end)
  end

  it("have nothing to say of the scripts of the pages, of scripts/load and of a plugin", function()
    local count = 0
    for path, findings in pairs(found) do
      if path:find "/page_[^/]*$" or path:find "/load/[^/]*$" then
        count = count + 1
        assert.equal("", texts(meant(findings)), path)
      end
    end
    assert.is_true(count > 20, count .. " scripts were read")
  end)

  it("are right themselves", function()
    local count = 0
    for path, findings in pairs(check ".") do
      count = count + 1
      assert.equal("", texts(findings), path)
    end
    assert.is_true(count > 200, count .. " files were read")
  end)
end)
