--- Every table of options of the Lua API, with the rules that it is checked by.

---@class reference.option_table
---@field title string
---@field call string   how a script gives it
---@field about string|nil
---@field rules table<string, wingman.option_rule>
---@field class string|nil  its LuaLS type; nil: it is a part of others
---@field executor string|nil  the table is of scenarios with this one

local call = require "wingman.client.options.calls"
local load_options = require "wingman.load.options"
local load_report = require "wingman.report.options"
local scenario = require "wingman.load.scenario"
local stream = require "wingman.loop.stream"

local CLIENT = "One of `cluster` and `server` is needed. `batch.ops` is written `batch = { ops = … }`."

---@type reference.option_table[]
local tables = {
  { title = "Client", class = "wingman.client_options", call = "wingman.client { … }", about = CLIENT, rules = require("wingman.client.options.rules").rules },
  { title = "Writes", class = "wingman.write_options", call = "map:set(key, value, { … })", about = "`map:remove(key, { … })` takes the same.", rules = call.write },
  { title = "Reads", class = "wingman.read_options", call = "map:read(key, { … })", rules = call.read },
  { title = "Replicas", class = "wingman.replicate_options", call = "map:replicate { … }", rules = call.replicate },
  { title = "Watches", class = "wingman.watch_options", call = "map:watch(key, fn, { … })", rules = call.watch },
  { title = "Changes", class = "wingman.change_options", call = 'map:on("change", fn, { … })', rules = call.change },
  { title = "Queries", class = "wingman.query_options", call = "client:query(map, { … })", rules = call.query },
  { title = "Live queries", class = "wingman.live_query_options", call = "client:live_query(map, { … })", about = "They mean what they mean in a query.",
    rules = call.live_query },
  { title = "Messages of one's own", class = "wingman.send_options", call = "client:send_with_retry(message, key, { … })", rules = call.send },
  { title = "Reconnect policy", class = "wingman.exponential_options", call = "wingman.policy.reconnect.exponential { … }", about = "So is the client's option `reconnect`.",
    rules = require("wingman.policy.reconnect").options },
  { title = "Circuit policy", class = "wingman.circuit_options", call = "wingman.policy.circuit.consecutive { … }", about = "So is the client's option `circuit`.",
    rules = require("wingman.policy.circuit").options },
  { title = "Refresh policy", class = "wingman.refresh_options", call = "wingman.policy.refresh.backoff { … }", rules = require("wingman.policy.refresh").options },
  { title = "Load test", class = "wingman.load.test_options", call = "load.test { … }", about = "[Load testing](../load-testing.md) explains them.", rules = load_options.rules },
  { title = "Scenario", call = "scenarios = { name = { … } }", about = "In addition to the options of its executor.", rules = scenario.common },
}

local function add(one) tables[#tables + 1] = one end

for _, name in ipairs(scenario.common.executor.one_of) do
  add { title = "Executor " .. name, class = "wingman.load." .. name:gsub("%-", "_"), executor = name,
    call = ('executor = "%s"'):format(name), rules = require("wingman.load.executor." .. name:gsub("%-", "_")).options }
end
add { title = "Planned fault", class = "wingman.load.fault_options", call = "nemesis = { { … }, … }", about = "A step has a time and one thing that happens.",
  rules = require("wingman.load.control.planned_faults").options }
add { title = "Threshold", call = 'thresholds = { metric = { { "p(99)<50ms", … } } }', rules = require("wingman.metrics.threshold").options }
add { title = "Report as text", class = "wingman.report.text_options", call = "report.summary(document, { … })", about = "`report.diff_text` takes the same.", rules = load_report.text }
add { title = "Comparison of reports", class = "wingman.report.diff_options", call = "report.diff(a, b, { … })", rules = load_report.diff }
add { title = "Simulated cluster", class = "wingman.sim.options", call = "wingman.sim.start { … }", about = "`sim://3?seed=2` takes them too, but for the nodes.",
  rules = require("wingman.testbed.sim").options }
add { title = "Cluster of the real server", class = "wingman.topgun.options", call = "wingman.topgun.start { … }", rules = require("wingman.testbed.topgun").options }
add { title = "Process", class = "wingman.process_options", call = 'require("wingman.loop.process").spawn { … }', rules = require("wingman.loop.process").options }
add { title = "Listening socket", class = "wingman.listen_options", call = 'require("wingman.loop.stream").listen { … }', about = "One of `path` and `port` is needed.",
  rules = stream.listen_options }
add { title = "Connected socket", class = "wingman.connect_options", call = 'require("wingman.loop.stream").connect { … }', about = "One of `path` and `port` is needed.",
  rules = stream.connect_options }
add { title = "Attachable prompt", class = "wingman.repl.server_options", call = "repl.server.listen(path, globals, { … })", rules = require("wingman.repl.server").options }

return tables
