--- The options of the core's client, from those of the script.
local embedded_cluster = require "wingman.testbed"
local uuid = require "wingman.base.uuid"

local M = {}

-- A v2 server drops events beyond the 256 that wait for a connection: larger batches cost those who
-- listen to it more of them.
local V2_BATCH_OPS = 250

-- Those that Wingman starts are on this machine.
local function is_embedded(options)
  return type(options.cluster) == "string" and embedded_cluster.is_url(options.cluster)
end

---@param options table  checked options
---@return table  see core/binding/client/client_binding.c
function M.of(options)
  local batch, log = options.batch, options.oplog
  return {
    client_id = options.client_id or uuid.v4(),
    client_id_is_default = options.client_id == nil,
    op_prefix = uuid.letters(8),
    ca_file = options.tls.ca_file,
    cert_file = options.tls.cert_file,
    key_file = options.tls.key_file,
    proxy = is_embedded(options) and "none" or options.proxy,
    tls_verify = not options.tls.insecure_skip_verify,
    max_message_bytes = options.max_message_bytes,
    max_text_bytes = options.max_text_bytes,
    max_message_elements = options.max_message_elements,
    max_table_elements = options.max_table_elements,
    max_decoded_bytes = options.max_decoded_bytes,
    max_queued_bytes = options.max_queued_bytes,
    connect_timeout = options.connect_timeout,
    auth_timeout = options.auth_timeout,
    connections_per_node = options.connections_per_node,
    heartbeat_interval = options.heartbeat.interval,
    heartbeat_timeout = options.heartbeat.timeout,
    batch_ops = batch.ops or (options.server and 65535 or 1000),
    windowed_ops = batch.ops or V2_BATCH_OPS,
    batch_bytes = batch.bytes,
    max_in_flight = batch.in_flight,
    linger = batch.linger,
    ack_timeout = batch.ack_timeout,
    max_tries = batch.tries,
    log_ops = log.max_ops,
    log_bytes = log.max_bytes,
    oplog_path = log.path,
    oplog_sync = log.sync,
    check_map_names = options.check_map_names,
    drop_oldest = log.when_full == "drop_oldest",
    high_watermark = log.high_watermark,
    low_watermark = log.low_watermark,
    recent_ack_bytes = options.server and 0 or log.recent_bytes,
    copy_records = options.copy.max_records,
    node_share = log.node_share,
  }
end

return M
