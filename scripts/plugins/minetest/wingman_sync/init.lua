-- Minetest's side of the hub: who moves, speaks, digs and leaves; chat and commands.
local insecure = minetest.request_insecure_environment()
if not insecure then
  error("wingman_sync needs sockets: add it to secure.trusted_mods in minetest.conf, as its README says")
end

local function setting(name, default)
  local value = minetest.settings:get("wingman_sync." .. name)
  return value ~= nil and value ~= "" and value or default
end

-- Wingman's files run in the insecure environment, which no other mod gets to see: they
-- are loaded with it, and not through a global require.
local function load_wingman(prefix)
  local lua = prefix .. "/share/lua/5.1/"
  insecure.package.cpath = prefix .. "/lib/lua/5.1/?.so;" .. insecure.package.cpath
  table.insert(insecure.package.loaders, 2, function(name)
    if name ~= "wingman" and not name:find "^wingman%." or name == "wingman.core" then return nil end
    local path = lua .. name:gsub("%.", "/")
    local chunk = insecure.loadfile(path .. ".lua") or insecure.loadfile(path .. "/init.lua")
    return chunk and insecure.setfenv(chunk, insecure) or ("\n\tno file '%s.lua'"):format(path)
  end)
  return insecure.require "wingman"
end

local Hub = dofile(minetest.get_modpath "wingman_sync" .. "/hub.lua")
local budget = tonumber(setting("budget", "1000"))
local seeds = {}
for url in setting("seeds", "ws://127.0.0.1:9000"):gmatch "[^,%s]+" do seeds[#seeds + 1] = url end
local token = setting "token"

local hub = Hub.new(load_wingman(setting("prefix", "/usr/local")), {
  cluster = { seeds = seeds },
  auth = token and { token = token } or nil,
  copy = { path = minetest.get_worldpath() .. "/wingman_sync" },
}, setting("server", "minetest"), tonumber(setting("expiry", "15")), {
  said = function(server, name, text) minetest.chat_send_all(("[%s] <%s> %s"):format(server, name, text)) end,
  log = function(text) minetest.log("warning", "[wingman_sync] " .. text) end,
})

minetest.register_globalstep(function(seconds)
  for _, player in ipairs(minetest.get_connected_players()) do
    local p = player:get_pos()
    hub:moved(player:get_player_name(), p.x, p.y, p.z)
  end
  hub:step(seconds, budget)
end)

minetest.register_on_leaveplayer(function(player) hub:left(player:get_player_name()) end)
minetest.register_on_chat_message(function(name, text)
  if text:sub(1, 1) ~= "/" then hub:said(name, text) end
end)
minetest.register_on_dignode(function(_, _, digger)
  if digger and digger:is_player() then hub:scored(digger:get_player_name(), 1) end
end)
minetest.register_on_shutdown(function() hub:close() end)

-- What a command answers: a list, or that it is empty, and what may be wrong with it.
local function answer(lines, otherwise, note)
  if #lines == 0 then lines[1] = otherwise end
  lines[#lines + 1] = note
  return true, table.concat(lines, "\n")
end

minetest.register_chatcommand("everybody", {
  description = "Players on all servers",
  func = function()
    local lines = {}
    for _, p in ipairs(hub:players_elsewhere()) do
      lines[#lines + 1] = ("%s on %s at %.0f, %.0f, %.0f"):format(p.name, p.server, p.x, p.y, p.z)
    end
    return answer(lines, "Nobody is on another server.", hub:note_on_players())
  end,
})

minetest.register_chatcommand("top", {
  description = "The ten who have dug most, on all servers",
  func = function()
    local lines = {}
    for i, entry in ipairs(hub:top(10)) do lines[i] = ("%d. %s %d"):format(i, entry.name, entry.score) end
    return answer(lines, "Nobody has dug yet.", hub:note_on_scores())
  end,
})

minetest.register_chatcommand("cluster", {
  description = "How this server stands with the cluster",
  privs = { server = true },
  func = function()
    local lines, standing = {}, hub:standing()
    for i, one in ipairs(standing) do
      local age = one.age and ("complete %.1f s ago"):format(one.age) or "never complete"
      local state = one.why and ("%s (%s)"):format(one.state, one.why) or one.state
      lines[i] = ("%s: %s, %s, %d changes wait"):format(one.map, state, age, one.behind)
    end
    return true, ("%s\n%d bytes were not read yet"):format(table.concat(lines, "\n"), standing.unread)
  end,
})
