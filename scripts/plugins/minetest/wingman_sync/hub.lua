-- What servers share, without Minetest: players move, speak, score and leave here, and
-- what those on other servers do is told back. Three maps of the cluster:
--   minetest_players  name -> { server, x, y, z, beat }, beat grows while the server lives
--   minetest_chat     server:0 .. server:49 in turns -> { server, name, text, n }, n grows for ever
--   minetest_scores   name -> { score }
-- A score is read, added to and written: points wait in `earned` until this server has read
-- the board, and while it may have missed a change of it.
local Hub = {}
Hub.__index = Hub

-- Seconds between two writes of all players, and between two of those that have moved.
local BEAT, MOVES = 1, 0.2
-- Chat lines of one server that are kept.
local CHAT_LINES = 50
-- Numbers of lines that are remembered of each server: more than are kept, as a line of one
-- node may come long before one of another.
local REMEMBERED_LINES = 4 * CHAT_LINES
-- A server numbers its chat lines from a second's time on, so that those of its next start
-- are higher: it would have to say more than so many a second, always, to repeat one.
local LINES_A_SECOND = 1000

-- `wingman` the module, `options` those of wingman.client, `hooks.said(server, name, text)`
-- hears chat of other servers, `hooks.log(text)` what goes wrong.
function Hub.new(wingman, options, server, expiry, hooks)
  options.oplog = { when_full = "fail" } -- a server step must not wait
  options.log_to = function(level, event, fields)
    if level == "warn" or level == "error" then hooks.log(event .. " " .. tostring(fields.url or fields.reason or fields.error or "")) end
  end
  local self = setmetatable({
    wingman = wingman, client = wingman.client(options), server = server, expiry = expiry, hooks = hooks,
    own = {}, others = {}, scores = {}, earned = {}, knows_scores = false, misses = 0, heard = {},
    line = os.time() * LINES_A_SECOND, beat = os.time(), clock = 0, beat_at = 0, moves_at = 0,
  }, Hub)
  self.players_map = self.client:map "minetest_players"
  self.chat_map = self.client:map "minetest_chat"
  self.scores_map = self.client:map "minetest_scores"
  self.players_map:on("change", function(name, value) self:player_changed(name, value) end, { replicate = false })
  self.chat_map:on("change", function(_, value) self:heard_line(value) end, { replicate = false })
  self.scores_map:on("change", function(name, value) self:score_changed(name, value) end, { replicate = false })
  -- What a node says while it is away is missed.
  self.client:on("node_lost", function() self.knows_scores, self.misses = false, self.misses + 1 end)
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
  self.client:repair "minetest_scores" -- and no chat, which nobody wants to hear again
  self.client:repair "minetest_players"
  self:learn_scores()
  for _, row in ipairs(self.client:query "minetest_players" or {}) do self:player_changed(row.key, row.value) end
end

-- What other servers write is theirs, and may be anything.
local function score_of(value) return type(value) == "table" and type(value.score) == "number" and value.score or nil end

-- Reads the whole board; true when all of it was there to be read. Waits.
function Hub:learn_scores()
  local misses = self.misses
  local board = self.client:query "minetest_scores"
  if not board or self.misses ~= misses then return false end
  for _, row in ipairs(board) do
    self.scores[row.key] = math.max(self.scores[row.key] or 0, score_of(row.value) or 0)
  end
  self.knows_scores = true
  return true
end

-- A server that did not know a score has written a lower one: what is known is written again.
function Hub:score_changed(name, value)
  local score, known = score_of(value), self.scores[name] or 0
  if score and score >= known then
    self.scores[name] = score
  elseif score and self.knows_scores then
    self.scores_map:set(name, { score = known })
  end
end

-- Writes the points that wait, once the board is known.
function Hub:save_scores()
  if not self.knows_scores then return end
  for name, points in pairs(self.earned) do
    local score = (self.scores[name] or 0) + points
    if not self.scores_map:set(name, { score = score }) then return end -- the op log is full: later
    self.scores[name], self.earned[name] = score, nil
  end
  -- These servers tell nobody of changes: the next points are added to what is read then.
  if self.client:dialect() ~= "v2" then self.knows_scores = false end
end

-- Reads the board in the background when points wait for it.
function Hub:ask_for_scores()
  if self.knows_scores or self.asking or next(self.earned) == nil or self.client.state.current ~= "CONNECTED" then return end
  self.asking = true
  self.wingman.spawn(function()
    self:learn_scores()
    self.asking = false
  end)
end

-- A repair writes old lines again, and they are changes then.
function Hub:heard_line(value)
  if type(value) ~= "table" or type(value.server) ~= "string" or type(value.n) ~= "number" or value.server == self.server then return end
  local heard = self.heard[value.server] or { last = 0 }
  self.heard[value.server] = heard
  if value.n <= heard.last - REMEMBERED_LINES or heard[value.n] then return end
  heard.last, heard[value.n] = math.max(heard.last, value.n), true
  for n in pairs(heard) do
    if n ~= "last" and n <= heard.last - REMEMBERED_LINES then heard[n] = nil end
  end
  self.hooks.said(value.server, tostring(value.name), tostring(value.text))
end

function Hub:player_changed(name, value)
  if value ~= nil and type(value) ~= "table" then return end
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
  self.earned[name] = (self.earned[name] or 0) + points
  self:save_scores()
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
  local list, totals = {}, {}
  for name, score in pairs(self.scores) do totals[name] = score end
  for name, points in pairs(self.earned) do totals[name] = (totals[name] or 0) + points end
  for name, score in pairs(totals) do list[#list + 1] = { name = name, score = score } end
  table.sort(list, function(a, b) return a.score > b.score or a.score == b.score and a.name < b.name end)
  for i = #list, count + 1, -1 do list[i] = nil end
  return list
end

-- Once a server step; seconds since the last one, microseconds for the network.
function Hub:step(seconds, budget_us)
  self.clock = self.clock + seconds
  local all = self.clock >= self.beat_at
  if all then
    self.beat, self.beat_at = self.beat + 1, self.clock + BEAT
    self:ask_for_scores()
  end
  self:save_scores()
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
  for name, points in pairs(self.earned) do
    self.hooks.log(("the leaderboard could not be read: %d points of %s are not on it"):format(points, name))
  end
  self.client:step(20000) -- what was recorded leaves
  self.client:close()
end

return Hub
