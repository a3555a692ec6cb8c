-- What servers share, without Minetest: players move, speak, score and leave here, and
-- what those on other servers do is told back. Three maps of the cluster:
--   minetest_players  name -> { server, x, y, z, beat }, beat grows while the server lives
--   minetest_chat     server:1 .. server:50 in turns -> { server, name, text, n }
--   minetest_scores   name -> { score }
local Hub = {}
Hub.__index = Hub

-- Seconds between two writes of all players, and between two of those that have moved.
local BEAT, MOVES = 1, 0.2
-- Chat lines of one server that are kept.
local CHAT_LINES = 50

-- `wingman` the module, `options` those of wingman.client, `hooks.said(server, name, text)`
-- hears chat of other servers, `hooks.log(text)` what goes wrong.
function Hub.new(wingman, options, server, expiry, hooks)
  options.oplog = { when_full = "throw" } -- a server step must not wait
  options.log_to = function(level, event, fields)
    if level == "warn" or level == "error" then hooks.log(event .. " " .. tostring(fields.url or fields.reason or fields.error or "")) end
  end
  local self = setmetatable({
    wingman = wingman, client = wingman.client(options), server = server, expiry = expiry, hooks = hooks,
    own = {}, others = {}, scores = {}, line = 0, beat = os.time(), clock = 0, beat_at = 0, moves_at = 0,
  }, Hub)
  self.players_map = self.client:map "minetest_players"
  self.chat_map = self.client:map "minetest_chat"
  self.scores_map = self.client:map "minetest_scores"
  self.players_map:on("change", function(name, value) self:player_changed(name, value) end)
  self.chat_map:on("change", function(_, value)
    if value and value.server ~= self.server then self.hooks.said(value.server, value.name, value.text) end
  end)
  self.scores_map:on("change", function(name, value) if value then self.scores[name] = value.score end end)
  -- A node that is new, or back, knows nothing of what went by; and a node that died may
  -- have taken records with it that only we still have.
  self.client:on("node_connected", function() wingman.spawn(function() self:catch_up() end) end)
  wingman.spawn(function()
    local ok, err = self.client:start()
    if not ok then hooks.log("not connected yet: " .. tostring(err)) end
  end)
  return self
end

function Hub:catch_up()
  if self.client.closed then return end
  self.client:repair()
  for name, value in pairs(self.client:query "minetest_scores" or {}) do
    self.scores[name] = math.max(self.scores[name] or 0, value.score)
  end
  for name, value in pairs(self.client:query "minetest_players" or {}) do self:player_changed(name, value) end
end

function Hub:player_changed(name, value)
  if value and value.server == self.server then return end
  local known = self.others[name]
  if not value then
    self.others[name] = nil
  elseif not known or known.beat ~= value.beat or known.server ~= value.server then
    self.others[name] = { server = value.server, x = value.x, y = value.y, z = value.z, beat = value.beat, heard = self.clock }
  else
    known.x, known.y, known.z = value.x, value.y, value.z
  end
end

local function write_player(self, name, p)
  p.sent = true
  self.players_map:set(name, { server = self.server, x = p.x, y = p.y, z = p.z, beat = self.beat })
end

function Hub:moved(name, x, y, z)
  local p = self.own[name]
  if p and p.x == x and p.y == y and p.z == z then return end
  self.own[name] = { x = x, y = y, z = z }
end

function Hub:left(name)
  self.own[name] = nil
  self.players_map:remove(name)
end

function Hub:said(name, text)
  self.line = self.line + 1
  self.chat_map:set(self.server .. ":" .. self.line % CHAT_LINES, { server = self.server, name = name, text = text, n = self.line })
end

function Hub:scored(name, points)
  self.scores[name] = (self.scores[name] or 0) + points
  self.scores_map:set(name, { score = self.scores[name] })
end

-- The players on other servers whose server still lives.
function Hub:players_elsewhere()
  local list = {}
  for name, p in pairs(self.others) do
    if self.clock - p.heard > self.expiry then self.others[name] = nil
    else list[#list + 1] = { name = name, server = p.server, x = p.x, y = p.y, z = p.z } end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

function Hub:top(count)
  local list = {}
  for name, score in pairs(self.scores) do list[#list + 1] = { name = name, score = score } end
  table.sort(list, function(a, b) return a.score > b.score or a.score == b.score and a.name < b.name end)
  for i = #list, count + 1, -1 do list[i] = nil end
  return list
end

-- Once a server step; seconds since the last one, microseconds for the network.
function Hub:step(seconds, budget_us)
  self.clock = self.clock + seconds
  local all = self.clock >= self.beat_at
  if all then self.beat, self.beat_at = self.beat + 1, self.clock + BEAT end
  if all or self.clock >= self.moves_at then
    self.moves_at = self.clock + MOVES
    for name, p in pairs(self.own) do
      if all or not p.sent then write_player(self, name, p) end
    end
  end
  self.client:step(budget_us)
end

function Hub:close()
  for name in pairs(self.own) do self.players_map:remove(name) end
  self.client:step(20000) -- what was recorded leaves
  self.client:close()
end

return Hub
