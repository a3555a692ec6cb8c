---@meta
-- Written by scripts/reference.lua from lists of options, for editors and checkers
-- that read LuaLS annotations. Nothing requires it.

---@class wingman.client_options: table<"auth"|"auth_timeout"|"batch"|"check_map_names"|"circuit"|"client_id"|"cluster"|"connect_timeout"|"connections_per_node"|"endpoint"|"fallback"|"hash"|"heartbeat"|"log_to"|"map_requests"|"max_decoded_bytes"|"max_message_bytes"|"max_message_elements"|"max_queued_bytes"|"max_table_elements"|"max_text_bytes"|"oplog"|"probe_map"|"proxy"|"reconnect"|"resolver"|"routing"|"server"|"start_timeout"|"tls"|"unanswered", any>
---@field auth? wingman.client_options.auth how to authenticate
---@field auth_timeout? number|string limit for the answer to the token
---@field batch? wingman.client_options.batch how operations are batched
---@field check_map_names? boolean refuse map names that a v2 server with disk storage discards, and may hang on; false: for servers without disk storage
---@field circuit? wingman.client_options.circuit|function|string circuit breaker of a node: { failures = 5, first = 1, reset = 30 }, never, or a policy
---@field client_id? string id of this client in record timestamps; default: the one in the op log's file, else a new UUID
---@field cluster? string|wingman.client_options.cluster sim://N, topgun://N, the URLs of nodes with commas between them, or { seeds = { urls } , nodes = { id = url } }
---@field connect_timeout? number|string limit for TCP, TLS and the upgrade together
---@field connections_per_node? number connections to each node
---@field endpoint? string|function|table auto, advertised, seeds, { node_id = url }, or a function: how a node is reached
---@field fallback? boolean direct routing: send to another node while the owner cannot be reached (docs/guarantees.md says what that costs)
---@field hash? "auto"|"fnv1a"|"xxh64" the cluster's key hash
---@field heartbeat? wingman.client_options.heartbeat PING, and when silence means that a connection is dead
---@field log_to? function fn(level, event, fields), which gets the log lines; default: warnings go to standard error
---@field map_requests? wingman.client_options.map_requests when the partition map is requested
---@field max_decoded_bytes? number the same limit for the memory that it would take in Lua, estimated
---@field max_message_bytes? number largest message of a server, in bytes; a larger one is skipped, and the call that waits for it returns nil, TOO_LARGE
---@field max_message_elements? number the same limit for the number of its keys and values, however nested
---@field max_queued_bytes? number bytes of messages other than batches that may wait on one connection
---@field max_table_elements? number the same limit for the keys and values of one array or map; its table is allocated in one go, 131,072 in 0.9 ms
---@field max_text_bytes? number the same limit for a text message (JSON, which 0.11 servers send); it is decoded in one go, 48 KiB in 0.8 ms
---@field oplog? wingman.client_options.oplog the op log
---@field probe_map? string a map the token may read, for finding node ids
---@field proxy? string http://[user:password@]host:port for every node, or none; default: http_proxy, https_proxy, all_proxy of the environment, where loopback and no_proxy go direct, and no token is shown on ws://
---@field reconnect? string|function|wingman.client_options.reconnect when to connect again: exponential or its settings, never, or a policy
---@field resolver? function fn(host) -> { addresses }, in place of the system's resolver
---@field routing? string|function direct, forward, backup, or a routing policy
---@field server? string URL of a single server: ws://host:port
---@field start_timeout? number|string how long start() waits
---@field tls? wingman.client_options.tls TLS, for wss://
---@field unanswered? number|string how long a batch may stay unacknowledged before its node's circuit opens; default: half of batch.ack_timeout

---@class wingman.client_options.auth: table<"token", any>
---@field token? string|function a JWT, or a function that returns one

---@class wingman.client_options.batch: table<"ack_timeout"|"bytes"|"in_flight"|"linger"|"ops"|"tries", any>
---@field ack_timeout? number|string age of an unacknowledged batch at which the client acts: it bisects the batch when later ones were acknowledged, else it waits on
---@field bytes? number bytes of one OP_BATCH
---@field in_flight? number unacknowledged batches per connection
---@field linger? number|string how long an operation waits for others to fill its batch; 0: until the end of the tick
---@field ops? number operations in one OP_BATCH; default 1000, single server 65535
---@field tries? number failed sends of an operation after which the event op_tries is emitted; the operation stays in the op log

---@class wingman.client_options.circuit: table<"failures"|"first"|"reset", any>
---@field failures? number failures in a row that open the circuit
---@field first? number|string how long it stays open the first time
---@field reset? number|string how long it stays open at most

---@class wingman.client_options.cluster: table<"nodes"|"seeds", any>
---@field nodes? table node id -> URL, for nodes that are reached under another URL than the partition map says
---@field seeds? table a list of URLs of nodes

---@class wingman.client_options.heartbeat: table<"interval"|"timeout", any>
---@field interval? number|string time between two PINGs
---@field timeout? number|string silence after which a connection is dead

---@class wingman.client_options.map_requests: table<"answer_timeout"|"debounce"|"max_wait"|"refresh"|"throttle", any>
---@field answer_timeout? number|string silence after a request that means: the map at hand is current
---@field debounce? number|string connections made within this time cause one request
---@field max_wait? number|string the longest delay by debounce
---@field refresh? number|string time without news of the map after which it is requested again
---@field throttle? function refresh policy: how soon to request the map again while routes are missing

---@class wingman.client_options.oplog: table<"high_watermark"|"low_watermark"|"max_bytes"|"max_ops"|"node_share"|"path"|"recent_bytes"|"sync"|"when_full", any>
---@field high_watermark? number fill, as a share of the limits, at which high_watermark is emitted
---@field low_watermark? number fill at which low_watermark is emitted, and at which set goes on after a pause
---@field max_bytes? number limit for their bytes
---@field max_ops? number limit for the operations in it
---@field node_share? number share of the limits that the unacknowledged operations of one node may fill, so that a slow node cannot starve the others
---@field path? string a file that keeps what is pending when the process ends; default: memory only
---@field recent_bytes? number 0.11 clusters: memory for the operations that were acknowledged lately, which are repeated after a membership change; as much again for late acknowledgements, and with oplog.path for what stays in the file
---@field sync? boolean wait for the disk at the end of each tick: pending operations survive a power cut, not only the end of the process
---@field when_full? "pause"|"fail"|"drop_oldest" pause: set waits; fail: set returns nil, LOG_FULL; drop_oldest: the oldest operation goes, and op_dropped names it

---@class wingman.client_options.reconnect: table<"attempts"|"factor"|"first"|"jitter"|"max", any>
---@field attempts? number tries before a node is given up; default 10, without end for a seed while no node is connected
---@field factor? number growth of the delay
---@field first? number|string delay before the first try
---@field jitter? number share of the delay that is random
---@field max? number|string the longest delay

---@class wingman.client_options.tls: table<"ca_file"|"cert_file"|"insecure_skip_verify"|"key_file", any>
---@field ca_file? string PEM file of the authorities; default: the system's. A file that was replaced is read again for the next connection
---@field cert_file? string PEM file of this client's certificate, for servers that ask for one; read again as ca_file
---@field insecure_skip_verify? boolean accept any certificate: for tests only
---@field key_file? string PEM file of its key, without a password

---@alias wingman.client_event "ack_timeout"|"auth_failed"|"circuit"|"failover"|"frame"|"high_watermark"|"low_watermark"|"map_changed"|"message"|"node_connected"|"node_lost"|"op_dropped"|"op_rejected"|"op_tries"|"oplog_error"|"oplog_recovered"|"resumed"|"server_error"|"state"|"unverified"
