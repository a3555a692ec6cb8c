--- What of a URL a person may see.
local url = require "wingman.base.url"

describe("A URL that is shown", function()
  for given, shown in pairs {
    ["ws://ann:secret@host:9000/ws"] = "ws://***@host:9000/ws",
    ["wss://ann@host"] = "wss://***@host",
    ["http://ann:p@ss@proxy:3128"] = "http://***@proxy:3128",
    ["ws://:@host"] = "ws://***@host",
    ["ws://host:9000/ws?user=a@b"] = "ws://host:9000/ws?user=a@b",
    ["ws://host/@x"] = "ws://host/@x",
    ["ws://[::1]:9000"] = "ws://[::1]:9000",
    ["no URL"] = "no URL",
  } do
    it(given .. " is " .. shown, function()
      assert.equal(shown, url.shown(given))
      assert.equal(given ~= shown, url.has_user(given))
    end)
  end
end)
