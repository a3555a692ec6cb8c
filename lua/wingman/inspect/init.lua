--- Inspects a client and its cluster. Each command of the prompt is one of these functions. They
--- return plain data; `print` shows it as the prompt does.
---
---   local inspect = require "wingman.inspect"
---   print(inspect.nodes(client))
---   for _, node in ipairs(inspect.nodes(client)) do assert(node.circuit == "closed") end
local control = require "wingman.inspect.control"
local diff = require "wingman.inspect.diff"
local measure = require "wingman.inspect.measure"
local nodes = require "wingman.inspect.nodes"
local partitions = require "wingman.inspect.partitions"
local records = require "wingman.inspect.records"
local rejected = require "wingman.inspect.rejected"
local replicas = require "wingman.inspect.replicas"
local script = require "wingman.inspect.script"
local stats = require "wingman.inspect.stats"
local trace = require "wingman.inspect.trace"
local whatif = require "wingman.inspect.whatif"

return {
  nodes = nodes.of,
  map = partitions.of,
  save_map = partitions.save,
  route = partitions.route,
  stats = stats.of,
  records = records.of,
  read = records.read,
  watch = records.watch,
  maps = replicas.maps,
  replicate = replicas.replicate,
  replicas = replicas.of,
  live = replicas.live,
  diff = diff.of,
  rejected = rejected.of,
  order_rejected = rejected.order,
  trace = trace.start,
  sim = nodes.order,
  policy = control.policy,
  log = control.log,
  load = script.load,
  save = script.save,
  time = measure.time,
  bench = measure.bench,
  whatif = whatif.of,
}
