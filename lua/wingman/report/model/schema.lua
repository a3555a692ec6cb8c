--- The document `wingman.report/1`: what a load run leaves behind. Everything else,
--- from the summary to the page, is made from this table alone; `--out json=FILE`
--- writes it as it is.
---
--- * Names that end in _s are seconds. Times are counted from the start of the run;
---   `started_at` is in Unix seconds.
--- * Every part adds up exactly: counters add, histograms add, series add point by
---   point. So shards of a run are merged to what one run would have said.
--- * Fields that are not named here are kept. A new meaning of a field is a new
---   version.
--- * What a list of places has no value for is false here and null in JSON. Numbers
---   that JSON cannot say (gauges, values of thresholds) are "inf", "-inf", "nan".
local shape = require "wingman.report.model.table_schema"

local list, map, object, one_of, optional = shape.list, shape.map, shape.object, shape.one_of, shape.optional
local text, flag, whole, amount, number = shape.text, shape.flag, shape.whole, shape.amount, shape.number

local M = {}

M.version = "wingman.report/1"

--- When a series is full, neighbours are joined and the interval doubles.
M.max_points = 600

--- A histogram as `histogram:export()` makes it, and the unit of one step:
---   digits, limit, lowest (always 1), min, max, overflows, unit ("us"),
---   counts: slot, count, slot, count, …; each slot as its distance to the one
---   before. With `bits` so that 2 << bits is the first power of two at or above
---   2 * 10^digits, slot (b << bits) + (v >> b) counts value v, where b is how many
---   bits v has beyond bits + 1.
local H = shape.histogram

local common = { name = text, unit = text, tags = map(text), type = text }
local function metric(fields)
  for name, rule in pairs(common) do fields[name] = rule end
  return object(fields)
end

--- One entry for each name and set of tags. The entry without tags is the total.
local metrics = list(shape.variant("type", {
  counter = metric { count = shape.finite }, -- those of a script may count halves
  -- Nothing in it: it was never set. `min` and `max` of gauges that were added up from
  -- shards are bounds, not sights.
  gauge = metric { value = optional(number), min = optional(number), max = optional(number) },
  rate = metric { passed = whole, total = whole },
  -- The numbers are in `unit`; they are what the histogram says, for people who read
  -- JSON with jq.
  trend = metric {
    histogram = H, count = whole, min = amount, max = amount, mean = amount,
    p50 = amount, p90 = amount, p95 = amount, p99 = amount, p99_9 = amount,
  },
}))

--- A point covers t_s .. t_s + interval_s; t_s is a multiple of interval_s, and a
--- point in which nothing happened may be left out. counters are what happened in
--- that time; gauges are as of its end; latency is of the operations acknowledged in
--- it (2 digits), read_latency and query_latency of the reads and queries answered in it,
--- replica_lag and live_latency of the writes that others were seen to show in it,
--- lateness_max_s how late the generator was at worst.
local point = object {
  t_s = amount,
  counters = map(whole),        -- ops_recorded, ops_acked, reads, queries, bytes_sent, iterations, dropped, errors
  gauges = map(number),         -- vus, in_flight, log_depth, cpu (share of one core), rss_bytes
  latency = optional(H),
  read_latency = optional(H),
  query_latency = optional(H),
  replica_lag = optional(H),
  live_latency = optional(H),
  lateness_max_s = optional(amount),
}

M.document = object {
  schema = text,
  name = text,
  script = optional(text),
  seed = optional(shape.finite),
  started_at = amount,
  duration_s = amount,
  finished = flag,                       -- false: cut short
  -- "failed": a threshold; "aborted": a threshold that ends the run. A part of a run that came
  -- to its end has "passed": only the whole is judged.
  outcome = one_of("passed", "failed", "aborted", "interrupted", "error"),
  reason = optional(text),               -- of an outcome that is not "passed"
  -- What kept the run from more, see wingman.metrics.limit: a generator that was late, a cluster
  -- or an op log that users waited for, or too few users.
  limit = one_of("none", "generator", "cluster", "users", "log"),
  generator_late = flag,                 -- by so much that latencies are partly its own
  limit_reason = optional(text),

  -- One entry for each process merged in.
  shards = list(object { index = whole, count = whole, workers = optional(whole), started_at = amount,
    duration_s = amount }),
  environment = object {
    wingman = optional(text), cluster = optional(text), dialect = optional(text), hash = optional(text),
    nodes = list(text), partition_count = whole, policy = optional(text),
    processors_awake = optional(whole),  -- with --keep-awake: how many were kept from halting
    cpu_steal = optional(amount),        -- share of the processors' time that the hypervisor took
  },
  scenarios = list(object {
    name = text, executor = text, start_s = optional(amount), duration_s = optional(amount), vus_max = optional(whole),
    rate_target = optional(amount),      -- iterations per second, of all shards together
    iterations = whole, iterations_dropped = optional(whole), iterations_interrupted = optional(whole),
    dropped_for = optional(map(whole)),  -- the dropped ones by "generator", "cluster", "users", "log"
    tags = optional(map(shape.scalar)),
  }),
  metrics = metrics,
  series = object { interval_s = amount, points = list(point, M.max_points) },
  -- One element per partition; owners and routed are indexes into environment.nodes.
  partitions = optional(object {
    owners = list(shape.index), ops = list(whole), routed = list(shape.index),
    latency = list(shape.amount_or_none), -- mean, seconds
    samples = list(whole),               -- how many the mean is of
  }),
  faults = list(object { at_s = amount, action = text, target = optional(text), ok = flag, detail = optional(text) }),
  -- Like client:failovers(): seconds after at_s, missing for what did not happen.
  failovers = list(object {
    at_s = amount, node = text, url = optional(text), reason = optional(text), map_asked_s = optional(amount),
    map_received_s = optional(amount), rerouted_s = optional(amount), first_ack_s = optional(amount),
    drained_s = optional(amount),
  }),
  -- value is missing where nothing was measured. Without all of its shards a report has the
  -- values of a part, and `passed` says nothing.
  thresholds = list(object {
    metric = text, expression = text, value = optional(number), unit = optional(text), passed = flag,
    aborted = optional(flag),
  }),
  checks = list(object { name = text, passed = whole, failed = whole }),
  errors = list(object { code = text, count = whole }),
}

return M
