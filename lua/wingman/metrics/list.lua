--- The metrics that every run records: the one list for the registry, for HELP lines of Prometheus, and for
--- the page docs/reference/metrics.md.

--- Type, unit, what it counts, and tags. A metric with the tag `scenario` has the tags of the test and of the
--- scenario besides.
local ROWS = {
  op_latency = { "trend", "s", "From recording an operation, or its intended start, to its acknowledgement", "scenario", "group", "node" },
  op_queue = { "trend", "s", "From recording an operation to its batch being sent", "scenario", "group" },
  op_send = { "trend", "s", "From the sending of a batch to its bytes being with the operating system", "scenario", "group" },
  op_ack = { "trend", "s", "From a batch being with the operating system to its acknowledgement", "scenario", "group" },
  read_latency = { "trend", "s", "From the call of map:read, or its iteration's intended start, to the decoded answer; of several keys to the last one", "scenario", "group", "map" },
  query_latency = { "trend", "s", "From the call of a query, or its iteration's intended start, to its rows", "scenario", "group", "map" },
  query_rows = { "trend", "rows", "Rows of a query", "scenario", "group", "map" },
  replica_lag = { "trend", "s", "From a user's write to a followed map, or its iteration's intended start, until the copy of another client of the test shows it, or a later one of the key by the users' client", "scenario", "map" },
  live_latency = { "trend", "s", "From a user's write, or its iteration's intended start, until a live query of the observer (option live) has reported the row that the write made, changed or ended; of several writes of a key the last that was reported", "scenario", "map" },
  snapshot_time = { "trend", "s", "From following a map to a copy that is equal to what each node holds; the users' client and the observer have one each", "map" },
  catch_up_time = { "trend", "s", "From the connection of the last node that was away, or is new, to a copy that is equal again", "map" },
  iteration_duration = { "trend", "s", "How long an iteration of a scenario took", "scenario" },
  group_duration = { "trend", "s", "How long a group of an iteration took", "scenario", "group" },
  lateness = { "trend", "s", "How long after its due time an iteration began", "scenario" },
  loop_lateness = { "trend", "s", "How late the generator's event loop was" },
  connect_time = { "trend", "s", "From opening a connection to the finished upgrade: name, TCP, TLS, HTTP" },
  tls_time = { "trend", "s", "The part of connect_time that TCP and TLS took, for wss://" },
  auth_time = { "trend", "s", "How long authentication took" },
  heartbeat_rtt = { "trend", "s", "Round trip of a heartbeat" },
  failover_time = { "trend", "s", "From the loss of a node to the first acknowledgement of its partitions; each worker and shard has seen its own" },
  batch_size = { "trend", "ops", "Operations in a batch" },
  ops_recorded = { "counter", "ops", "Operations recorded", "scenario" },
  ops_acked = { "counter", "ops", "Operations acknowledged", "scenario", "node" },
  ops_sent = { "counter", "ops", "Operations sent, those sent again included", "node" },
  ops_unacknowledged = { "counter", "ops", "Operations neither confirmed nor refused at the end; they may be stored or not" },
  ops_rejected = { "counter", "ops", "Operations that a server refused for what they are" },
  ops_dropped = { "counter", "ops", "Operations that others displaced from a full op log" },
  ops_repeated = { "counter", "ops", "Acknowledged operations that were sent again after a membership change" },
  ops_unverified = { "counter", "ops", "Operations acknowledged around a membership change and not sent again: it is not known whether they are stored" },
  ops_resent = { "counter", "ops", "Operations sent again" },
  bytes_sent = { "counter", "bytes", "Bytes of batches sent", "node" },
  bytes_acked = { "counter", "bytes", "Bytes of operations acknowledged, without those of their batches", "node" },
  batches_sent = { "counter", "batches", "Batches sent", "node" },
  reads = { "counter", "keys", "Keys read from their owners with map:read; what get finds in the local copy is not counted", "scenario", "group", "map" },
  reads_absent = { "counter", "keys", "Keys that were read and that their owner had no value of", "scenario", "group", "map" },
  reads_failed = { "counter", "keys", "Keys whose read returned an error", "scenario", "code" },
  queries = { "counter", "queries", "Queries that were answered", "scenario", "group", "map" },
  queries_failed = { "counter", "queries", "Queries that returned an error", "scenario", "code" },
  replica_unseen = { "counter", "ops", "Writes to followed maps that the other copy was not seen to show by the end", "scenario", "map" },
  replica_untimed = { "counter", "ops", "Writes to followed maps without a lag: the other copy showed their value before, or another client's write was put after them", "scenario", "map" },
  replica_repairs = { "counter", "records", "Records of both copies that comparisons with nodes found to differ after the snapshot", "map" },
  replica_dropped = { "counter", "records", "Of replica_repairs at least those whose event a v2 node dropped or sent late: they differed on a connection that had been equal; on 0.11 it is not known", "map" },
  replica_lost = { "counter", "records", "Records of both copies that a node came up without", "map" },
  iterations = { "counter", "iterations", "Iterations that were completed", "scenario" },
  iterations_dropped = { "counter", "iterations", "Iterations that were due and were not started", "scenario" },
  iterations_interrupted = { "counter", "iterations", "Iterations that were given up at the end", "scenario" },
  map_versions = { "counter", "versions", "Versions of the partition map that were received" },
  unmatched_acks = { "counter", "acks", "Acknowledgements that answer no batch of this client" },
  reconnects = { "counter", "connections", "Connections made again" },
  messages_dropped = { "counter", "messages", "Messages of users' own connections that were dropped, since an inbox has 1,000 and all together 100,000" },
  errors = { "counter", "errors", "Refused writes, failed reads and queries, waits that took too long, errors with a code that scripts raised, errors of servers and connections", "scenario", "code" },
  direct_routes = { "counter", "ops", "Operations sent to the owner of their partition" },
  fallback_routes = { "counter", "ops", "Operations sent to another node than the owner" },
  partition_misses = { "counter", "ops", "Operations recorded while no partition map was known; they are held until one is" },
  in_flight = { "gauge", "ops", "Operations sent and not yet acknowledged" },
  log_depth = { "gauge", "ops", "Operations in the op log" },
  replica_behind = { "gauge", "keys", "Keys of both copies whose change their watches do not have yet", "map" },
  vus = { "gauge", "vus", "Virtual users" },
  sessions = { "gauge", "connections", "Connections of single users that are open" },
  map_version = { "gauge", "", "Version of the partition map" },
  circuit = { "gauge", "", "Circuit breaker of a node: 0 closed, 1 half-open, 2 open", "node" },
  cpu = { "gauge", "cores", "CPU time of the generator, in cores" },
  rss_bytes = { "gauge", "bytes", "Resident memory of the generator" },
  checks = { "rate", "", "Share of the checks (vu:check) that held", "scenario", "check" },
}

---@class wingman.builtin_metric
---@field type "trend"|"counter"|"gauge"|"rate"
---@field unit string
---@field about string    what it counts
---@field tags string[]
---@field no_total boolean|nil  there is one for each tag only

---@type table<string, wingman.builtin_metric>
local M = {}

for name, row in pairs(ROWS) do
  M[name] = { type = row[1], unit = row[2], about = row[3], tags = { unpack(row, 4) } }
end
M.circuit.no_total = true

return M
