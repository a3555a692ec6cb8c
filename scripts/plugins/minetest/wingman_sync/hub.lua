-- What servers share, without Minetest: players move, speak, score and leave here, and
-- what those on other servers do is told back. Three maps of the cluster, each a replica here:
--   minetest_players  name -> { server, x, y, z, beat }, beat grows while the server lives
--   minetest_chat     server:0 .. server:49 in turns -> { server, name, text, n }, n grows for ever
--   minetest_scores   name -> { score }
-- A score is read from the node that owns it, added to and written: points wait in `earned` while
-- that node cannot be asked.
local Hub = {}
Hub.__index = Hub

-- Seconds between two writes of all players, and between two of what has changed.
local BEAT, CHANGES = 1, 0.2
-- Chat lines of one server that are kept.
local CHAT_LINES = 50
-- Chat lines are numbered from a second's time on, so that those of different servers have an
-- order: a server would have to say more than so many a second, always, to leave it.
local LINES_A_SECOND = 1000

local function log_line(event, fields)
  local parts = {}
  for name, value in pairs(fields) do parts[#parts + 1] = ("%s: %s"):format(name, tostring(value)) end
  table.sort(parts)
  return ("%s (%s)"):format(event, table.concat(parts, ", "))
end

-- A board in a file is there after a restart, also without a network.
local function replicate_scores(self, hooks)
  if not self.client.options.copy.path then return self.scores_map:replicate() end
  local copy, err = self.scores_map:replicate { persist = true }
  if not copy then hooks.log("the leaderboard is in memory only: " .. tostring(err)) end
  return copy or self.scores_map:replicate()
end

-- What is told of the three maps: what is there first, and then what others change.
local function follow(self, hooks)
  self.players_copy, self.chat_copy, self.scores_copy = self.players_map:replicate(), self.chat_map:replicate(), replicate_scores(self, hooks)
  self.players_map:watch(nil, function(name, value, origin) self:player_changed(name, value, origin) end)
  self.chat_map:watch(nil, function(key, value, origin) self:heard_line(key, value, origin) end)
  self.scores_map:watch(nil, function(name, value) self:score_changed(name, value) end)
  -- A node came up without them, and this server still has them.
  self.scores_copy:on("lost", function(_, names)
    for _, name in ipairs(names) do self.again[name] = true end
  end)
end

-- `wingman` the module, `options` those of wingman.client, `hooks.said(server, name, text)`
-- hears chat of other servers, `hooks.log(text)` what goes wrong.
function Hub.new(wingman, options, server, expiry, hooks)
  options.oplog = { when_full = "fail" } -- a server step must not wait
  options.log_to = function(level, event, fields)
    if level == "warn" or level == "error" then hooks.log(log_line(event, fields)) end
  end
  local self = setmetatable({
    wingman = wingman, client = wingman.client(options), server = server, expiry = expiry, hooks = hooks,
    own = {}, others = {}, scores = {}, earned = {}, saving = {}, again = {}, heard = {}, lines = {},
    line = 0, slot = -1, beat = os.time(), clock = 0, beat_at = 0, changes_at = 0,
  }, Hub)
  self.players_map = self.client:map "minetest_players"
  self.chat_map = self.client:map "minetest_chat"
  self.scores_map = self.client:map "minetest_scores"
  follow(self, hooks)
  wingman.spawn(function()
    local ok, err = self.client:start()
    if not ok then hooks.log("not connected yet: " .. tostring(err)) end
  end)
  return self
end

-- What other servers write is theirs, and may be anything.
local function score_of(value) return type(value) == "table" and type(value.score) == "number" and value.score or nil end

local function is_player(value)
  return type(value) == "table" and type(value.server) == "string" and type(value.x) == "number" and type(value.y) == "number"
    and type(value.z) == "number"
end

local function is_line(value) return type(value) == "table" and type(value.server) == "string" and type(value.n) == "number" end

-- A server that did not know a score has written a lower one: the higher one is written again.
function Hub:score_changed(name, value)
  local score, known = score_of(value), self.scores[name] or 0
  if value == nil or score and score >= known then
    self.scores[name] = score
  elseif score then
    self.again[name] = true
  end
end

function Hub:write_again()
  for name in pairs(self.again) do
    local score = self.scores[name]
    if score and not self.scores_map:set(name, { score = score }) then return end -- the op log is full: later
    self.again[name] = nil
  end
end

-- Adds the points of one player to what the owner of the score has. Waits.
function Hub:save_score(name)
  local value, err = self.scores_map:read(name)
  self.saving[name] = nil
  local points = self.earned[name]
  if err or not points then return end -- later
  local score = math.max(score_of(value) or 0, self.scores[name] or 0) + points
  if self.scores_map:set(name, { score = score }) then self.scores[name], self.earned[name] = score, nil end
end

function Hub:save_scores()
  if self.client.state.current ~= "CONNECTED" then return end
  for name in pairs(self.earned) do
    if not self.saving[name] then
      self.saving[name] = true
      self.wingman.spawn(function() self:save_score(name) end)
    end
  end
end

-- What was said before this server followed a node is over. A place in the map gets higher numbers only: a lower one is what
-- a former owner still has.
function Hub:heard_line(key, value, origin)
  if not is_line(value) then return end
  if value.server == self.server then
    self.line = math.max(self.line, value.n) -- of an earlier start
  elseif value.n > (self.heard[key] or 0) then
    self.heard[key] = value.n
    if origin ~= "snapshot" then self.lines[#self.lines + 1] = value end
  end
end

-- Lines of one step are said in order: those that were missed come in any.
function Hub:say_lines()
  if not self.lines[1] then return end
  local lines = self.lines
  self.lines = {}
  table.sort(lines, function(a, b) return a.n < b.n or a.n == b.n and a.server < b.server end)
  for _, line in ipairs(lines) do self.hooks.said(line.server, tostring(line.name), tostring(line.text)) end
end

function Hub:player_changed(name, value, origin)
  local known = self.others[name]
  if not is_player(value) then
    self.others[name] = nil
  elseif value.server == self.server then
    self.others[name] = nil
    if origin == "snapshot" and not self.own[name] then self.players_map:remove(name) end -- of a start that did not end well
  else
    local is_same = known and known.value.beat == value.beat and known.value.server == value.server
    self.others[name] = { value = value, heard = is_same and known.heard or self.clock }
  end
end

-- While a write waits, as its node is away, no other one is put behind it.
local function write_player(self, name, p)
  local record = self.players_map:record(name)
  if record and record.state == "pending" then return end
  p.sent = self.players_map:set(name, { server = self.server, x = p.x, y = p.y, z = p.z, beat = self.beat }) ~= nil
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
  self.line = math.max(self.line + 1, os.time() * LINES_A_SECOND)
  self.slot = (self.slot + 1) % CHAT_LINES -- not of the number, which skips to the next second's
  self.chat_map:set(self.server .. ":" .. self.slot, { server = self.server, name = name, text = text, n = self.line })
end

function Hub:scored(name, points) self.earned[name] = (self.earned[name] or 0) + points end

-- The players on other servers whose server still lives.
function Hub:players_elsewhere()
  local list = {}
  for name, p in pairs(self.others) do
    local value = p.value
    if self.clock - p.heard > self.expiry then self.others[name] = nil
    else list[#list + 1] = { name = name, server = value.server, x = value.x, y = value.y, z = value.z } end
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

-- How far what is shown may be from what the cluster has: for each map the state of its replica
-- ("live": nothing is missing) and why it is not live, its age in seconds, nil if it was never complete, and how many changes wait for
-- a later step; and the bytes that no step has read yet.
function Hub:standing()
  local list = {}
  for i, of in ipairs { { "players", self.players_copy }, { "chat", self.chat_copy }, { "scores", self.scores_copy } } do
    local status = of[2]:status()
    list[i], list.unread = { map = of[1], state = status.state, why = status.why, age = status.age, behind = status.behind }, status.unread
  end
  return list
end

-- What players are told of a list of players or scores that may not be what the cluster has; nil: it is.
local function note_on(copy)
  local status = copy:status()
  if status.state == "live" then return nil end
  return status.age and ("(This may be old: as of %.0f s ago.)"):format(status.age) or "(Not everything is known yet.)"
end

function Hub:note_on_players() return note_on(self.players_copy) end
function Hub:note_on_scores() return note_on(self.scores_copy) end

-- Once a server step; seconds since the last one, microseconds for the network.
function Hub:step(seconds, budget_us)
  self.clock = self.clock + seconds
  local all = self.clock >= self.beat_at
  if all then self.beat, self.beat_at = self.beat + 1, self.clock + BEAT end
  if all or self.clock >= self.changes_at then
    self.changes_at = self.clock + CHANGES
    self:write_again()
    self:save_scores()
    for name, p in pairs(self.own) do
      if all or not p.sent then write_player(self, name, p) end
    end
  end
  self.client:step(budget_us)
  self:say_lines()
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
