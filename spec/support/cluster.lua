--- Clusters for specs: the same spec on the simulated cluster, in both dialects, and
--- on the real server. sim://N?release=head stands where a spec reads: what it does otherwise than
--- 2.2.0 is about reading.
local client_state = require "spec.support.client_state"
local core = require "wingman.core"
local embedded_cluster = require "wingman.testbed"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local node_report = require "wingman.client.node_report"
local topgun_binary = require "wingman.testbed.topgun.binary"
local wingman = require "wingman"

local M = {}

--- What a spec about behaviour on the wire runs on.
M.urls = { "sim://3", "sim://3?dialect=0.11", "topgun://3" }

---@class spec.shared_cluster
---@field url string
---@field cluster table  wingman.sim.cluster or wingman.topgun.cluster
---@field is_real boolean
---@field is_0_11 boolean
local methods = {}
methods.__index = methods

--- A client of the cluster; closed when the test ends. Warnings go to `log`.
---@param options table|nil
function methods:client(options)
  options = options or {}
  if not options.server and not options.cluster then options.cluster = { seeds = self.cluster.urls } end
  options.auth = options.auth or { token = self.cluster.token }
  options.log_to = options.log_to or function(level, event, fields)
    self.log[#self.log + 1] = { level = level, event = event, fields = fields }
  end
  local client = wingman.client(options)
  self.clients[#self.clients + 1] = client
  return client
end

--- A client that is connected, be it after a minute on a busy machine.
function methods:started(options)
  options = options or {}
  options.start_timeout = options.start_timeout or 60
  local client = self:client(options)
  assert(client:start())
  return client
end

function methods:close_clients()
  for _, client in ipairs(self.clients) do client:close() end
  self.clients, self.log = {}, {}
end

--- Log lines of this event.
function methods:logged(event)
  local found = {}
  for _, line in ipairs(self.log) do
    if line.event == event then found[#found + 1] = line.fields end
  end
  return found
end

-- Waits until a client is connected to every node: on a busy machine it has started before that.
local function await_all_nodes(self, client)
  eventually("every node is connected", function()
    local connected = client:connected_nodes()
    return #connected == #self.cluster.nodes, connected
  end)
end

--- The ids of the nodes that were sent a key of a map, sorted. The simulated
--- cluster says so itself; a real node has what it was sent, and nothing else.
function methods:receivers(map_name, key)
  local ids = {}
  local observer = self.is_real and self:started()
  if observer then await_all_nodes(self, observer) end
  for _, node in ipairs(self.cluster.nodes) do
    local has = false
    if observer then
      has = assert(observer:holdings(node.id, map_name))[key] ~= nil
    else
      for _, received in ipairs(assert(self.cluster:received(node.id)).keys) do has = has or received == key end
    end
    if has then ids[#ids + 1] = node.id end
  end
  return ids
end

--- The values of a map, by key, as the owners of the keys have them. By their trees, not by
--- a query: the nodes of the newest server's clusters answer none.
function methods:values(client, map_name)
  await_all_nodes(self, client)
  local values, partition_map = {}, client:partition_map() -- a lone server has none
  for _, node in ipairs(self.cluster.nodes) do
    for key, record in pairs(assert(client:holdings(node.id, map_name))) do
      local is_owner = not partition_map or partition_map.owners[client:partition_of(key) + 1] == node.id
      if is_owner and record.value ~= core.null then values[key] = record.value end
    end
  end
  return values
end

-- A server that gives devices an id is newer than 2.2.0; it has no option that says its version.
local is_newest
local function is_newest_server()
  if is_newest == nil then
    local file = assert(io.open(assert(topgun_binary.find()), "rb"))
    is_newest = file:read "*a":find("deviceId", 1, true) ~= nil
    file:close()
  end
  return is_newest
end

--- Whether its nodes are newer than 2.2.0: the real ones, or those of sim://N?release=head.
---@return boolean
function methods:is_head()
  if self.is_real then return is_newest_server() end
  return self.url:find("release=head", 1, true) ~= nil
end

--- Whether its nodes have their records still after they were killed and started again.
---@return boolean
function methods:keeps_records()
  return self:is_head() and not self.url:find("storage=null", 1, true)
end

--- For a spec about queries: whether there is none, as the cluster answers none; it is
--- reported as skipped then, with the reason.
---@return boolean
function methods:has_no_queries(env)
  local has_none = #self.cluster.nodes > 1 and self:is_head()
  if has_none then env.pending "the newest server answers no query in a cluster" end
  return has_none
end

--- The same for a spec about Merkle trees as 2.2.0 has them: one for each partition, whose emptied
--- places stay, and sums without mixing.
---@return boolean
function methods:has_other_trees(env)
  local has_others = self:is_head()
  if has_others then env.pending "the newest server has other Merkle trees than 2.2.0" end
  return has_others
end

--- A map name that no other test uses.
function methods:map_name()
  self.names = (self.names or 0) + 1
  return "m" .. self.names
end

-- What each real node's own partition map says, one line each: which side of a missing node does not know it.
local function own_maps(self)
  local lines = {}
  for _, node in ipairs(self.is_real and self.cluster.nodes or {}) do
    local report, err = node_report.ask(node.url, { token = self.cluster.token })
    local owned = {}
    for i, member in ipairs(report and report.nodes or {}) do owned[i] = ("%s has %d"):format(member.id, member.partitions) end
    lines[#lines + 1] = ("\n  the map of %s: version %s, %s"):format(node.id, report and report.map_version or "none",
      report and table.concat(owned, ", ") or tostring(err))
  end
  return table.concat(lines)
end

-- Server 2.2.0 now and then never takes a restarted node back: each node goes on with a map of its own.
-- Starting it once more is all that helps. Seconds of a start on a busy machine.
local TAKEN_BACK = 20

local function owns_partitions(client, id)
  for _, owner in ipairs(client:partition_map().owners) do
    if owner == id then return true end
  end
  return false
end

--- Starts a node and waits until a client sees it own partitions and can use it.
function methods:restart(id, client)
  assert(self.cluster:restart(id))
  if self.is_real and #self.cluster.nodes > 1 then
    local deadline = loop.now() + TAKEN_BACK
    while not owns_partitions(client, id) and loop.now() < deadline do loop.sleep(0.05) end
    if not owns_partitions(client, id) then
      assert(self.cluster:kill(id))
      assert(self.cluster:restart(id))
    end
  end
  local ok, err = pcall(eventually, id .. " owns partitions and is connected", function()
    local owns, connected = owns_partitions(client, id), client:connected_nodes()
    for _, other in ipairs(connected) do
      if owns and other == id then return true end
    end
    return false, { owns = owns, connected = connected }
  end)
  if not ok then error(err .. own_maps(self), 0) end
end

--- What the client's health says of a node; nil while it does not know the node.
function M.node_of(client, id)
  for _, node in ipairs(client:health().nodes) do
    if node.id == id then return node end
  end
end

--- The first `count` keys (of "key-1", "key-2", ...) that a node owns. Waits until it
--- owns partitions: a real cluster may be on its way there.
function M.keys_of(client, id, count)
  local owners
  eventually(id .. " owns a partition", function()
    owners = client:partition_map().owners
    for _, owner in ipairs(owners) do
      if owner == id then return true end
    end
  end)
  local keys, i = {}, 0
  while #keys < count do
    i = i + 1
    assert(i < 1e6, id .. " owns nothing")
    local key = "key-" .. i
    if owners[client:partition_of(key) + 1] == id then keys[#keys + 1] = key end
  end
  return keys
end

--- Seconds without a change of owners after which a real cluster has settled: its nodes
--- move partitions for a while after they have all seen each other.
local SETTLED = 1.5

local function wait_until_settled(shared)
  local client = shared:started()
  local owners, since
  eventually("the cluster moves no partition any more", function()
    local now = table.concat(client:partition_map().owners, " ")
    if now ~= owners then owners, since = now, loop.now() end
    return loop.now() - since > SETTLED
  end)
  shared:close_clients()
end

-- Declares the specs of one cluster; with `skipped`, a reason, each is reported as skipped.
local function declare(env, name, body, url, skipped)
  local is_real = url:match "^topgun" ~= nil
  env.describe(name .. ", on " .. url .. ":", function()
    local shared = setmetatable({
      url = url, is_real = is_real, is_0_11 = url:match "0%.11" ~= nil, clients = {}, log = {},
    }, methods)
    if skipped then
      return body(shared, function(test) env.pending(test .. " (skipped: " .. skipped .. ")") end)
    end
    env.setup(function()
      client_state.watch(shared)
      shared.cluster = assert(embedded_cluster.start(url))
      if is_real and #shared.cluster.nodes > 1 then wait_until_settled(shared) end
    end)
    env.teardown(function()
      client_state.watch(nil)
      if shared.cluster then shared.cluster:stop() end
    end)
    env.after_each(function() shared:close_clients() end)
    body(shared, env.it)
  end)
end

-- Why a cluster cannot be had.
local function missing(url)
  if not url:match "^topgun" then return nil end
  local _, err = topgun_binary.find()
  return err and err.message
end

--- Declares specs once for each cluster. `body` gets the shared cluster and the `it`
--- to declare with: where a cluster cannot be had, that one reports each spec as
--- skipped, with the reason.
---@param name string
---@param body fun(shared: spec.shared_cluster, it: function)
---@param urls string[]|nil  default: M.urls
function M.on_each(env, name, body, urls)
  for _, url in ipairs(urls or M.urls) do declare(env, name, body, url, missing(url)) end
end

--- The same for what only servers newer than 2.2.0 do: a real one of 2.2.0 is none.
---@param name string
---@param body fun(shared: spec.shared_cluster, it: function)
---@param urls string[]
function M.on_head(env, name, body, urls)
  for _, url in ipairs(urls) do
    local why = missing(url)
    if not why and url:match "^topgun" and not is_newest_server() then why = "the server is 2.2.0" end
    declare(env, name, body, url, why)
  end
end

return M
