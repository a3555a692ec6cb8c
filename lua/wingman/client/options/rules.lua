--- The options of `wingman.client`: one rule each. An option that is unknown or of
--- the wrong kind is an error that names it.
local cluster_url = require "wingman.client.options.cluster_url"
local embedded_cluster = require "wingman.testbed"
local escape = require "wingman.base.escape"
local options_check = require "wingman.options.check"
local policies = require "wingman.policy.list"

local core = require "wingman.core"
local url = require "wingman.base.url"
local wire_name = require "wingman.base.wire_name"

local M = {}

--- A duration is "5s", "100ms" or a number of seconds; checked, it is a number.
---@type table<string, wingman.option_rule>
M.rules = {
  server = { type = "string", about = "URL of a single server: ws://host:port" },
  cluster = {
    type = "string|table",
    about = "sim://N, topgun://N, the URLs of nodes with commas between them, or { seeds = { urls } , nodes = { id = url } }",
    group = {
      seeds = { type = "table", about = "a list of URLs of nodes" },
      nodes = { type = "table", about = "node id -> URL, for nodes that are reached under another URL than the partition map says" },
    },
  },
  auth = { type = "table", secret = true, about = "how to authenticate", group = {
    token = { type = "string|function", utf8 = true, secret = true, about = "a JWT, or a function that returns one" },
  } },
  routing = policies.rule "routing",
  fallback = { type = "boolean", default = false,
    about = "direct routing: send to another node while the owner cannot be reached (docs/guarantees.md says what that costs)" },
  reconnect = policies.rule "reconnect",
  circuit = policies.rule "circuit",
  unanswered = { type = "duration", min = 0.01, max = 3600,
    about = "how long a batch may stay unacknowledged before its node's circuit opens; default: half of batch.ack_timeout" },
  endpoint = policies.rule "endpoint",
  resolver = { type = "function", about = "fn(host) -> { addresses }, in place of the system's resolver" },
  hash = { type = "string", default = "auto", one_of = { "auto", "fnv1a", "xxh64" }, about = "the cluster's key hash" },
  connections_per_node = { type = "number", default = 1, min = 1, max = 64, about = "connections to each node" },
  client_id = { type = "string", utf8 = true, about = "id of this client in record timestamps; default: the one in the op log's file, else a new UUID" },
  probe_map = { type = "string", utf8 = true, default = "wingman_probe", about = "a map the token may read, for finding node ids" },
  check_map_names = { type = "boolean", default = true,
    about = "refuse map names that a v2 server with disk storage discards, and may hang on; false: for servers without disk storage" },
  connect_timeout = { type = "duration", default = 5, min = 0.01, max = 3600, about = "limit for TCP, TLS and the upgrade together" },
  auth_timeout = { type = "duration", default = 5, min = 0.01, max = 3600, about = "limit for the answer to the token" },
  start_timeout = { type = "duration", default = 10, min = 0.01, max = 3600, about = "how long start() waits" },
  heartbeat = { type = "table", default = {}, about = "PING, and when silence means that a connection is dead", group = {
    interval = { type = "duration", default = 5, min = 0.05, max = 3600, about = "time between two PINGs" },
    timeout = { type = "duration", default = 15, min = 0.05, max = 3600, about = "silence after which a connection is dead" },
  } },
  batch = { type = "table", default = {}, about = "how operations are batched", group = {
    ops = { type = "number", min = 1, max = 65535,
      about = "operations in one OP_BATCH; default: 250 on v2, where larger ones cost other clients events; on 0.11 1000, single server 65535" },
    bytes = { type = "number", default = 512 * 1024, min = 1024, max = 1024 * 1024, about = "bytes of one OP_BATCH" },
    linger = { type = "duration", default = 0, min = 0, max = 60, about = "how long an operation waits for others to fill its batch; 0: until the end of the tick" },
    in_flight = { type = "number", default = 64, min = 1, max = 100000,
      about = "unacknowledged batches per connection; on v2 the send window allows fewer operations, as the server keeps up" },
    ack_timeout = { type = "duration", default = 5, min = 0.05, max = 3600,
      about = "age of an unacknowledged batch at which the client acts: it bisects the batch when later ones were acknowledged, else it waits on" },
    tries = { type = "number", default = 10, min = 1, max = 255,
      about = "failed sends of an operation after which the event op_tries is emitted; the operation stays in the op log" },
  } },
  oplog = { type = "table", default = {}, about = "the op log", group = {
    path = { type = "string", about = "a file that keeps what is pending when the process ends; default: memory only" },
    sync = { type = "boolean", default = false,
      about = "wait for the disk at the end of each tick: pending operations survive a power cut, not only the end of the process" },
    max_ops = { type = "number", default = 1000000, min = 1, max = 2 ^ 31, about = "limit for the operations in it" },
    max_bytes = { type = "number", default = 256 * 1024 * 1024, min = 1, max = 2 ^ 40, about = "limit for their bytes" },
    when_full = { type = "string", default = "pause", one_of = { "pause", "fail", "drop_oldest" },
      about = "pause: set waits; fail: set returns nil, LOG_FULL; drop_oldest: the oldest operation goes, and op_dropped names it" },
    node_share = { type = "number", default = 0.75, min = 0.001, max = 1,
      about = "share of the limits that the unacknowledged operations of one node may fill, so that a slow node cannot starve the others" },
    recent_bytes = { type = "number", default = 32 * 1024 * 1024, min = 65536, max = 2 ^ 40,
      about = "0.11 clusters: memory for the operations that were acknowledged lately, which are repeated after a membership change; as much again for late acknowledgements, and with oplog.path for what stays in the file" },
    high_watermark = { type = "number", default = 0.8, min = 0, max = 1, about = "fill, as a share of the limits, at which high_watermark is emitted" },
    low_watermark = { type = "number", default = 0.5, min = 0, max = 1, about = "fill at which low_watermark is emitted, and at which set goes on after a pause" },
  } },
  copy = { type = "table", default = {}, about = "copies of maps (map:replicate)", group = {
    path = { type = "string",
      about = "a folder for the copies that are kept (persist = true), one file for each map; it is made if its parent is there" },
    max_records = { type = "number", whole = true, default = 1000000, min = 1, max = 2 ^ 31,
      about = "records that all copies of the client may have together, each as often as nodes hold it, and removed keys; beyond it copies are partial, COPY_FULL" },
  } },
  map_requests = { type = "table", default = {}, about = "when the partition map is requested", group = {
    debounce = { type = "duration", default = 0.5, min = 0, max = 60, about = "connections made within this time cause one request" },
    max_wait = { type = "duration", default = 2, min = 0, max = 600, about = "the longest delay by debounce" },
    answer_timeout = { type = "duration", default = 1, min = 0.05, max = 60, about = "silence after a request that means: the map at hand is current" },
    refresh = { type = "duration", default = 30, min = 0.1, max = 86400, about = "time without news of the map after which it is requested again" },
    throttle = policies.rule "refresh",
  } },
  tls = { type = "table", default = {}, about = "TLS, for wss://", group = {
    ca_file = { type = "string", about = "PEM file of the authorities; default: the system's. A file that was replaced is read again for the next connection" },
    cert_file = { type = "string", about = "PEM file of this client's certificate, for servers that ask for one; read again as ca_file" },
    key_file = { type = "string", about = "PEM file of its key, without a password" },
    insecure_skip_verify = { type = "boolean", default = false, about = "accept any certificate: for tests only" },
  } },
  proxy = { type = "string",
    about = "http://[user:password@]host:port for every node, or none; default: http_proxy, https_proxy, all_proxy of the environment, "
      .. "where loopback and no_proxy go direct, and no token is shown on ws://" },
  max_message_bytes = { type = "number", default = 4 * 1024 * 1024, min = 1024, max = 2 ^ 31,
    about = "largest message of a server, in bytes; a larger one is skipped, and the call that waits for it returns nil, TOO_LARGE" },
  max_text_bytes = { type = "number", default = 48 * 1024, min = 1024, max = 2 ^ 31,
    about = "the same limit for a text message (JSON, which 0.11 servers send); it is decoded in one go, 48 KiB in 0.8 ms" },
  max_message_elements = { type = "number", default = 1000000, min = 100, max = 2 ^ 31,
    about = "the same limit for the number of its keys and values, however nested" },
  max_table_elements = { type = "number", default = 131072, min = 100, max = 2 ^ 31,
    about = "the same limit for the keys and values of one array or map; its table is allocated in one go, 131,072 in 0.9 ms" },
  max_decoded_bytes = { type = "number", default = 64 * 1024 * 1024, min = 1024, max = 2 ^ 40,
    about = "the same limit for the memory that it would take in Lua, estimated" },
  max_queued_bytes = { type = "number", default = 8 * 1024 * 1024, min = 1024, max = 2 ^ 31,
    about = "bytes of messages other than batches that may wait on one connection" },
  log_to = { type = "function", about = "fn(level, event, fields), which gets the log lines; default: warnings go to standard error" },
}

local function check_url(name, text)
  local ok, wrong = cluster_url.check_node(text)
  if not ok then error(("option %s: %s"):format(name, wrong), 0) end
end

local function check_urls(options)
  if options.server then return check_url("server", options.server) end
  local cluster = options.cluster
  if type(cluster) == "string" then
    local ok, wrong = cluster_url.check(cluster)
    if not ok then error("option cluster: " .. wrong, 0) end
    local seeds = cluster_url.seeds(cluster)
    options.cluster = seeds and { seeds = seeds } or cluster
    return
  end
  for _, seed in ipairs(cluster.seeds or {}) do check_url("cluster.seeds", seed) end
  for _, node in pairs(cluster.nodes or {}) do check_url("cluster.nodes", node) end
end

local function check_connections(options)
  local tls, proxy = options.tls, options.proxy
  if (tls.cert_file == nil) ~= (tls.key_file == nil) then
    error("options tls.cert_file and tls.key_file: set both, or neither", 0)
  end
  if proxy and proxy ~= "none" and not core.proxy_name(proxy) then
    error(("option proxy: %s is neither none nor http://host:port"):format(wire_name.shown(url.shown(proxy))), 0)
  end
end

local function check_target(options)
  if options.server and options.cluster then error("options cluster and server: one of them, not both", 0) end
  if not options.server and not options.cluster then error("one of the options server and cluster is needed", 0) end
  if options.server and embedded_cluster.is_url(options.server) then
    error(("option server: %s is a cluster that Wingman starts: write cluster = \"%s\""):format(
      wire_name.shown(options.server), escape.plain(options.server)), 0)
  end
  local cluster = options.cluster
  if type(cluster) ~= "table" then return end
  local seeds, nodes = cluster.seeds or {}, cluster.nodes or {}
  if #seeds == 0 and next(nodes) == nil then error("option cluster.seeds: at least one URL is needed", 0) end
end

--- The options with their defaults; raises for one that is wrong, at the place
--- `level` levels up; 0: no place.
---@param given table
---@param level integer
function M.check(given, level)
  local checked, wrong = options_check.read(M.rules, given)
  if checked then
    local ok, reason = pcall(function()
      check_target(checked)
      check_urls(checked)
      check_connections(checked)
    end)
    if not ok then wrong = reason end
  end
  if wrong then error("wingman.client: " .. wrong, level > 0 and level + 1 or 0) end
  return checked
end

return M
