-- Plays players for the specs of wingman_sync: takes orders from WORLD/orders (one a line,
-- read once each), and calls what mods have registered, as the server does for players.
-- WORLD/report says what this server's players would see.
local world = minetest.get_worldpath()
local players, heard, taken = {}, {}, 0

local real_send = minetest.chat_send_all
function minetest.chat_send_all(text)
  heard[#heard + 1] = text
  return real_send(text)
end

local function player(name, x, y, z)
  return {
    is_player = function() return true end,
    get_player_name = function() return name end,
    get_pos = function() return { x = x, y = y, z = z } end,
  }
end
function minetest.get_connected_players()
  local list = {}
  for _, one in pairs(players) do list[#list + 1] = one end
  return list
end

-- What wingman_sync has registered; others would want a player of flesh.
local function each(callbacks)
  local list = {}
  for _, fn in ipairs(callbacks) do
    if minetest.callback_origins[fn].mod == "wingman_sync" then list[#list + 1] = fn end
  end
  assert(#list > 0)
  return ipairs(list)
end

local orders = {}
function orders.move(name, x, y, z) players[name] = player(name, tonumber(x), tonumber(y), tonumber(z)) end
function orders.leave(name)
  local one = players[name]
  players[name] = nil
  for _, fn in each(minetest.registered_on_leaveplayers) do fn(one) end
end
function orders.say(name, text)
  for _, fn in each(minetest.registered_on_chat_messages) do fn(name, text) end
end
function orders.dig(name)
  for _, fn in each(minetest.registered_on_dignodes) do fn({}, {}, players[name]) end
end

local function take_orders()
  local file = io.open(world .. "/orders")
  if not file then return end
  local n = 0
  for line in file:lines() do
    n = n + 1
    if n > taken then
      taken = n
      local words = {}
      for word in line:gmatch "%S+" do words[#words + 1] = word end
      orders[words[1]](unpack(words, 2))
    end
  end
  file:close()
end

local since = 0
minetest.register_globalstep(function(seconds)
  since = since + seconds
  if since < 0.1 then return end
  since = 0
  take_orders()
  local _, everybody = minetest.registered_chatcommands.everybody.func("spec", "")
  local _, top = minetest.registered_chatcommands.top.func("spec", "")
  local _, cluster = minetest.registered_chatcommands.cluster.func("spec", "")
  minetest.safe_file_write(world .. "/report", table.concat({ everybody, top, table.concat(heard, "\n"), cluster, "" }, "\n"))
end)
