---@meta
-- Written by scripts/reference.lua from the lists of options and events, for editors and
-- checkers that read LuaLS annotations. Nothing requires it.

---@class wingman.client_options: table<"auth"|"auth_timeout"|"batch"|"check_map_names"|"circuit"|"client_id"|"cluster"|"connect_timeout"|"connections_per_node"|"copy"|"endpoint"|"fallback"|"hash"|"heartbeat"|"log_to"|"map_requests"|"max_decoded_bytes"|"max_message_bytes"|"max_message_elements"|"max_queued_bytes"|"max_table_elements"|"max_text_bytes"|"oplog"|"probe_map"|"proxy"|"reconnect"|"resolver"|"routing"|"server"|"start_timeout"|"tls"|"unanswered", any>
---@field auth? wingman.client_options.auth how to authenticate
---@field auth_timeout? number|string limit for the answer to the token
---@field batch? wingman.client_options.batch how operations are batched
---@field check_map_names? boolean refuse map names that a v2 server with disk storage discards, and may hang on; false: for servers without disk storage
---@field circuit? "never"|function|wingman.client_options.circuit when a connected node gets no operations for a while: never, or a policy (docs/policies.md)
---@field client_id? string id of this client in record timestamps; default: the one in the op log's file, else a new UUID
---@field cluster? string|wingman.client_options.cluster sim://N, topgun://N, the URLs of nodes with commas between them, or { seeds = { urls } , nodes = { id = url } }
---@field connect_timeout? number|string limit for TCP, TLS and the upgrade together
---@field connections_per_node? number connections to each node
---@field copy? wingman.client_options.copy copies of maps (map:replicate)
---@field endpoint? "auto"|"advertised"|"seeds"|function|table under which URL a node is reached: auto, advertised, seeds, or a policy (docs/policies.md)
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
---@field reconnect? "exponential"|"never"|function|wingman.client_options.reconnect when to try a node again: exponential, never, or a policy (docs/policies.md)
---@field resolver? function fn(host) -> { addresses }, in place of the system's resolver
---@field routing? "direct"|"backup"|"forward"|function to which node a partition's operations go: direct, backup, forward, or a policy (docs/policies.md)
---@field server? string URL of a single server: ws://host:port
---@field start_timeout? number|string how long start() waits
---@field tls? wingman.client_options.tls TLS, for wss://
---@field unanswered? number|string how long a batch may stay unacknowledged before its node's circuit opens; default: half of batch.ack_timeout

---@class wingman.client_options.auth: table<"token", any>
---@field token? string|function a JWT, or a function that returns one

---@class wingman.client_options.batch: table<"ack_timeout"|"bytes"|"in_flight"|"linger"|"ops"|"tries", any>
---@field ack_timeout? number|string age of an unacknowledged batch at which the client acts: it bisects the batch when later ones were acknowledged, else it waits on
---@field bytes? number bytes of one OP_BATCH
---@field in_flight? number unacknowledged batches per connection; on v2 the send window allows fewer operations, as the server keeps up
---@field linger? number|string how long an operation waits for others to fill its batch; 0: until the end of the tick
---@field ops? number operations in one OP_BATCH; default: 250 on v2, where larger ones cost other clients events; on 0.11 1000, single server 65535
---@field tries? number failed sends of an operation after which the event op_tries is emitted; the operation stays in the op log

---@class wingman.client_options.circuit: table<"failures"|"first"|"reset", any>
---@field failures? number failures in a row that open the circuit
---@field first? number|string how long it stays open the first time
---@field reset? number|string how long it stays open at most

---@class wingman.client_options.cluster: table<"nodes"|"seeds", any>
---@field nodes? table node id -> URL, for nodes that are reached under another URL than the partition map says
---@field seeds? table a list of URLs of nodes

---@class wingman.client_options.copy: table<"max_records"|"path", any>
---@field max_records? number records that all copies of the client may have together, each as often as nodes hold it, and removed keys; beyond it copies are partial, COPY_FULL
---@field path? string a folder for the copies that are kept (persist = true), one file for each map; it is made if its parent is there

---@class wingman.client_options.heartbeat: table<"interval"|"timeout", any>
---@field interval? number|string time between two PINGs
---@field timeout? number|string silence after which a connection is dead

---@class wingman.client_options.map_requests: table<"answer_timeout"|"debounce"|"max_wait"|"refresh"|"throttle", any>
---@field answer_timeout? number|string silence after a request that means: the map at hand is current
---@field debounce? number|string connections made within this time cause one request
---@field max_wait? number|string the longest delay by debounce
---@field refresh? number|string time without news of the map after which it is requested again
---@field throttle? function how soon the partition map is requested again: a refresh policy (docs/policies.md)

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

---@class wingman.write_options: table<"on_ack", any>
---@field on_ack? fun(ok: true|nil, err: wingman.error|nil) fn(true) once the write is acknowledged; fn(nil, err) when it is rejected or dropped or the client is closed

---@class wingman.read_options: table<"node"|"timeout", any>
---@field node? string id or URL of the node to ask, which need not be the owner
---@field timeout? number|string how long the call may take, with the wait for an owner that is not connected

---@class wingman.replicate_options: table<"check"|"keys"|"on_loss"|"persist"|"visible", any>
---@field check? number|string while the map changes, the copy is compared with each node this often; while it does not, every 30 s
---@field keys? string|table refused, UNSUPPORTED: a copy of some keys cannot be compared with a node
---@field on_loss? "keep"|"drop" records that a node came up without: keep shows them and counts them, drop removes them
---@field persist? boolean keep the copy in a file below the client option copy.path, so that it is there at once when the process starts again
---@field visible? "any"|"owner" any: of a key that its owner does not hold, the newest record of the other nodes is shown; owner: refused, UNSUPPORTED

---@class wingman.watch_options: table<"initial"|"own", any>
---@field initial? boolean false: no calls for what is there already
---@field own? boolean calls for this client's own writes, too

---@class wingman.change_options: table<"replicate", any>
---@field replicate? boolean false: hints only, as far as nodes announce changes, and no replica

---@class wingman.query_options: table<"limit"|"offset"|"predicate"|"select"|"sort"|"source"|"timeout"|"where", any>
---@field limit? number rows at most; default: all
---@field offset? number rows to leave out at the start
---@field predicate? table a condition in TopGun's own form, { op = "gte", attribute = "score", value = 900 }, with and, or, not; with where: both must hold
---@field select? table the fields of values that rows have, { "score", "team" }; default: whole values; of a value that is no table, none
---@field sort? string|table what to sort by: "score desc", { "team", "score desc" }, or { score = "desc" }; default: by key
---@field source? "cluster"|"copy" who is asked: the nodes (cluster), or the local copy of a map that map:replicate has made a replica (copy)
---@field timeout? number|string how long the query may take
---@field where? table fields, and the values that they must have, or operators: { score = { gte = 900 }, team = "red" }; operators: eq, neq, gt, gte, lt, lte, in, between

---@class wingman.live_query_options: table<"limit"|"offset"|"predicate"|"select"|"sort"|"where", any>
---@field limit? number rows at most; default: all
---@field offset? number rows to leave out at the start
---@field predicate? table a condition in TopGun's own form, { op = "gte", attribute = "score", value = 900 }, with and, or, not; with where: both must hold
---@field select? table the fields of values that rows have, { "score", "team" }; default: whole values; of a value that is no table, none
---@field sort? string|table what to sort by: "score desc", { "team", "score desc" }, or { score = "desc" }; default: by key
---@field where? table fields, and the values that they must have, or operators: { score = { gte = 900 }, team = "red" }; operators: eq, neq, gt, gte, lt, lte, in, between

---@class wingman.send_options: table<"answer"|"max_retries"|"retry_delay"|"retry_on_not_owner"|"timeout", any>
---@field answer? fun(message: table): any fn(message) knows the answer to the message; then the call waits for it and returns it
---@field max_retries? number tries after the first
---@field retry_delay? number|string wait before the second try; each further one is twice as long
---@field retry_on_not_owner? boolean false: NOT_OWNER is returned
---@field timeout? number|string how long one try waits for the answer

---@class wingman.exponential_options: table<"attempts"|"factor"|"first"|"jitter"|"max", any>
---@field attempts? number tries before a node is given up; default 10, without end for a seed while no node is connected
---@field factor? number growth of the delay
---@field first? number|string delay before the first try
---@field jitter? number share of the delay that is random
---@field max? number|string the longest delay

---@class wingman.circuit_options: table<"failures"|"first"|"reset", any>
---@field failures? number failures in a row that open the circuit
---@field first? number|string how long it stays open the first time
---@field reset? number|string how long it stays open at most

---@class wingman.refresh_options: table<"factor"|"first"|"max", any>
---@field factor? number growth of the wait
---@field first? number|string wait after the first request
---@field max? number|string the longest wait

---@class wingman.load.test_options: table<"auth"|"client"|"cluster"|"connections"|"drain"|"follow"|"live"|"name"|"nemesis"|"scenarios"|"seed"|"server"|"setup"|"tags"|"teardown"|"thresholds", any>
---@field auth? wingman.client_options.auth as of a client
---@field client? wingman.client_options further options of the clients that the test makes
---@field cluster? string|table as of a client; one of cluster and server is needed
---@field connections? "shared"|"per-vu" one client for all users, or a connection for each
---@field drain? number|string how long the test waits for acknowledgements at its end
---@field follow? table names of maps to follow (vu:follow); they are read before the test begins
---@field live? table map -> a query as of client:live_query: the observer runs it from before the test begins, and follows the map
---@field name? string name of the test in its reports; default: that of the script
---@field nemesis? wingman.load.fault_options[] planned faults: a list of steps
---@field scenarios table<string, wingman.load.scenario_options> name -> what users do; at least one is needed
---@field seed? number seed of all random choices; default 1
---@field server? string as of a client
---@field setup? fun(hand: wingman.load.hand): any runs before the scenarios; what it returns is vu.data
---@field tags? table name -> value, for all samples of the test
---@field teardown? fun(hand: wingman.load.hand): any runs after the scenarios
---@field thresholds? table<string, string|(string|{ [1]: string, abort: boolean|nil, delay: number|string|nil })[]> metric -> conditions for the test to pass

---@class wingman.load.constant_arrival_rate: table<"duration"|"env"|"exec"|"executor"|"graceful_stop"|"keys"|"max_vus"|"pre_allocated_vus"|"rate"|"start_time"|"tags"|"time_unit", any>
---@field duration number|string how long new iterations are begun
---@field env? table a table of the script's own, which is vu.env
---@field exec fun(vu: wingman.load.vu): any one iteration
---@field executor "constant-arrival-rate" the rule by which iterations begin
---@field graceful_stop? number|string time that iterations under way have to finish at the end; default 30s
---@field keys? wingman.load.keys_options the keys that vu:key chooses from, and how
---@field max_vus? number users at most; default of open models: 1000
---@field pre_allocated_vus? number users at the start; default 1
---@field rate number iterations that begin in a time_unit
---@field start_time? number|string time from the start of the test to that of the scenario; default 0
---@field tags? table name -> value, for all samples of the scenario
---@field time_unit? number|string the time that rates are counted in: rate = 60 with "1m" is one a second; default 1s

---@class wingman.load.constant_vus: table<"duration"|"env"|"exec"|"executor"|"graceful_stop"|"keys"|"start_time"|"tags"|"vus", any>
---@field duration number|string how long new iterations are begun
---@field env? table a table of the script's own, which is vu.env
---@field exec fun(vu: wingman.load.vu): any one iteration
---@field executor "constant-vus" the rule by which iterations begin
---@field graceful_stop? number|string time that iterations under way have to finish at the end; default 30s
---@field keys? wingman.load.keys_options the keys that vu:key chooses from, and how
---@field start_time? number|string time from the start of the test to that of the scenario; default 0
---@field tags? table name -> value, for all samples of the scenario
---@field vus number number of users; default, where iterations are counted: 1

---@class wingman.load.externally_controlled: table<"duration"|"env"|"exec"|"executor"|"graceful_stop"|"keys"|"max_vus"|"start_time"|"tags"|"vus", any>
---@field duration number|string how long new iterations are begun
---@field env? table a table of the script's own, which is vu.env
---@field exec fun(vu: wingman.load.vu): any one iteration
---@field executor "externally-controlled" the rule by which iterations begin
---@field graceful_stop? number|string time that iterations under way have to finish at the end; default 30s
---@field keys? wingman.load.keys_options the keys that vu:key chooses from, and how
---@field max_vus? number users at most; default of open models: 1000
---@field start_time? number|string time from the start of the test to that of the scenario; default 0
---@field tags? table name -> value, for all samples of the scenario
---@field vus? number users at the start; default 0

---@class wingman.load.per_vu_iterations: table<"env"|"exec"|"executor"|"graceful_stop"|"iterations"|"keys"|"max_duration"|"start_time"|"tags"|"vus", any>
---@field env? table a table of the script's own, which is vu.env
---@field exec fun(vu: wingman.load.vu): any one iteration
---@field executor "per-vu-iterations" the rule by which iterations begin
---@field graceful_stop? number|string time that iterations under way have to finish at the end; default 30s
---@field iterations number number of iterations: of each user (per-vu-iterations) or in all (shared-iterations)
---@field keys? wingman.load.keys_options the keys that vu:key chooses from, and how
---@field max_duration? number|string how long all iterations may take; default 10m
---@field start_time? number|string time from the start of the test to that of the scenario; default 0
---@field tags? table name -> value, for all samples of the scenario
---@field vus? number number of users; default, where iterations are counted: 1

---@class wingman.load.ramping_arrival_rate: table<"env"|"exec"|"executor"|"graceful_stop"|"keys"|"max_vus"|"pre_allocated_vus"|"stages"|"start_rate"|"start_time"|"tags"|"time_unit", any>
---@field env? table a table of the script's own, which is vu.env
---@field exec fun(vu: wingman.load.vu): any one iteration
---@field executor "ramping-arrival-rate" the rule by which iterations begin
---@field graceful_stop? number|string time that iterations under way have to finish at the end; default 30s
---@field keys? wingman.load.keys_options the keys that vu:key chooses from, and how
---@field max_vus? number users at most; default of open models: 1000
---@field pre_allocated_vus? number users at the start; default 1
---@field stages wingman.load.ramping_arrival_rate.stages[] a list of { duration = , target = }: the value changes linearly from the previous target to this one
---@field start_rate? number iterations that begin in a time_unit
---@field start_time? number|string time from the start of the test to that of the scenario; default 0
---@field tags? table name -> value, for all samples of the scenario
---@field time_unit? number|string the time that rates are counted in: rate = 60 with "1m" is one a second; default 1s

---@class wingman.load.ramping_arrival_rate.stages: table<"duration"|"target", any>
---@field duration number|string length of the stage
---@field target number iterations that begin in a time_unit

---@class wingman.load.ramping_vus: table<"env"|"exec"|"executor"|"graceful_stop"|"keys"|"stages"|"start_time"|"start_vus"|"tags", any>
---@field env? table a table of the script's own, which is vu.env
---@field exec fun(vu: wingman.load.vu): any one iteration
---@field executor "ramping-vus" the rule by which iterations begin
---@field graceful_stop? number|string time that iterations under way have to finish at the end; default 30s
---@field keys? wingman.load.keys_options the keys that vu:key chooses from, and how
---@field stages wingman.load.ramping_vus.stages[] a list of { duration = , target = }: the value changes linearly from the previous target to this one
---@field start_time? number|string time from the start of the test to that of the scenario; default 0
---@field start_vus? number users at the start; default 0
---@field tags? table name -> value, for all samples of the scenario

---@class wingman.load.ramping_vus.stages: table<"duration"|"target", any>
---@field duration number|string length of the stage
---@field target number users at its end

---@class wingman.load.shared_iterations: table<"env"|"exec"|"executor"|"graceful_stop"|"iterations"|"keys"|"max_duration"|"start_time"|"tags"|"vus", any>
---@field env? table a table of the script's own, which is vu.env
---@field exec fun(vu: wingman.load.vu): any one iteration
---@field executor "shared-iterations" the rule by which iterations begin
---@field graceful_stop? number|string time that iterations under way have to finish at the end; default 30s
---@field iterations number number of iterations: of each user (per-vu-iterations) or in all (shared-iterations)
---@field keys? wingman.load.keys_options the keys that vu:key chooses from, and how
---@field max_duration? number|string how long all iterations may take; default 10m
---@field start_time? number|string time from the start of the test to that of the scenario; default 0
---@field tags? table name -> value, for all samples of the scenario
---@field vus? number number of users; default, where iterations are counted: 1

---@class wingman.load.fault_options: table<"args"|"at"|"call"|"fault"|"kill"|"move"|"node"|"pause"|"rate"|"restart"|"resume"|"run"|"scenario"|"stop"|"to"|"vus", any>
---@field args? table arguments of the fault
---@field at number|string when, after the start of the test
---@field call? function fn(steering), which is called
---@field fault? string sim:// only: a fault of the simulated cluster, at `node` with `args`
---@field kill? string a node that is killed
---@field move? number sim:// only: a partition, which moves `to` a node
---@field node? string a node id, owner-of:KEY, last, any; for fault also all
---@field pause? string a node that is paused (SIGSTOP)
---@field rate? number iterations per second from now on, of `scenario` or all
---@field restart? string a node that is started again
---@field resume? string a paused node that goes on
---@field run? string a shell command; the variable WINGMAN_NODE is `node`
---@field scenario? string the scenario that rate and vus are for
---@field stop? string a node that is shut down gracefully
---@field to? string the node that the partition moves to
---@field vus? number users from now on, of `scenario` or all

---@class wingman.report.text_options: table<"colour"|"whole_rows"|"width", any>
---@field colour? boolean with colours, as terminals show them
---@field whole_rows? boolean rows of tables are not cut, for programs that read lines
---@field width? number columns at most

---@class wingman.report.diff_options: table<"names"|"tolerance", any>
---@field names? string[] names of the two runs
---@field tolerance? number a share by which a figure may be worse and still count as the same

---@class wingman.sim.options: table<"detection_ms"|"dialect"|"event_queue"|"hash"|"no_auth"|"nodes"|"partitions"|"ports"|"rate"|"release"|"secret"|"seed"|"sink"|"spread_ms", any>
---@field detection_ms? number time that the other nodes take to notice a killed node
---@field dialect? "v2"|"0.11" the server family that answers
---@field event_queue? number v2: events that may wait for one connection, those beyond are dropped; 0: any number; default 256
---@field hash? string hash of keys: fnv1a or xxh64, or one for each node with commas between them
---@field no_auth? boolean v2: ask for no token
---@field nodes? number number of nodes
---@field partitions? number number of partitions
---@field ports? integer[] a list of client ports, one for each node; default: free ports
---@field rate? number v2: operations a second per connection before ERROR 429; 0: no limit; default: none, on head 20,000
---@field release? "2.2.0"|"head" v2: the release that is imitated; head is the newest source (August 2026) with disk storage; default 2.2.0
---@field secret? string HS256 secret of the tokens; default: random
---@field seed? number seed of all random choices
---@field sink? boolean store nothing, only acknowledge: for measuring load generators
---@field spread_ms? number 0.11: after a membership change each node updates its partition map at a random moment within this time; default 150

---@class wingman.topgun.options: table<"heartbeats"|"nodes"|"storage", any>
---@field heartbeats? boolean the nodes hear each other's heartbeats, and drop for good one whose heartbeats were late
---@field nodes? number server processes
---@field storage? "redb"|"null" redb: on disk, written behind the acknowledgements; null: in memory only; default: STORAGE_BACKEND, else redb

---@class wingman.process_options: table<"args"|"cwd"|"env"|"file"|"own_session"|"stderr"|"stdin", any>
---@field args? string[] a list, without the program's name
---@field cwd? string the folder that it runs in; default: ours
---@field env? table<string, string|number> name -> value, added to ours
---@field file string the program; looked for in PATH when it has no slash
---@field own_session? boolean true: a Ctrl-C at our terminal is not sent to the child; one that does not end with its standard input may then outlive us
---@field stderr? boolean true: collected; else it goes where ours goes
---@field stdin? boolean true: a pipe for write; else /dev/null

---@class wingman.listen_options: table<"host"|"mode"|"path"|"port", any>
---@field host? string an address, for a port
---@field mode? number of the file; default 0600
---@field path? string a socket in the file system
---@field port? number of TCP; 0: any that is free

---@class wingman.connect_options: table<"host"|"path"|"port", any>
---@field host? string an address, for a port
---@field path? string a socket in the file system
---@field port? number of TCP; 0: any that is free

---@class wingman.repl.server_options: table<"chunk_limit"|"now", any>
---@field chunk_limit? number|string how long a chunk may compute without waiting; math.huge: for ever
---@field now? function the clock for it; default: that of the loop

---@class wingman.load.keys_options: table<"count"|"distribution"|"prefix"|"scrambled"|"theta", any>
---@field count? number keys that there are
---@field distribution? "uniform"|"zipf"|"latest"|"sequential" how often each is chosen
---@field prefix? string what stands before the number of a key
---@field scrambled? boolean zipf: false: the first keys are the most frequent
---@field theta? number zipf, latest: how unevenly

---@alias wingman.load.scenario_options wingman.load.constant_arrival_rate|wingman.load.constant_vus|wingman.load.externally_controlled|wingman.load.per_vu_iterations|wingman.load.ramping_arrival_rate|wingman.load.ramping_vus|wingman.load.shared_iterations
---@alias wingman.client_event "ack_timeout"|"auth_failed"|"circuit"|"failover"|"frame"|"high_watermark"|"low_watermark"|"map_changed"|"message"|"node_connected"|"node_lost"|"op_dropped"|"op_rejected"|"op_tries"|"oplog_error"|"oplog_recovered"|"resumed"|"server_error"|"state"|"unverified"
