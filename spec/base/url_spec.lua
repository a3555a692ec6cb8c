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

  for given, shown in pairs {
    ["http://a:1,http://ann:secret@b:2, ws://bob:secret@c"] = "http://a:1,http://***@b:2, ws://***@c",
    ["ann:secret@host:9000"] = "***@host:9000",
    ["wss//ann:p@ss@host"] = "***@host",
  } do
    it(given .. ", which is none, is " .. shown, function()
      assert.equal(shown, url.shown(given))
      assert.is_false(url.has_user(given))
    end)
  end
end)
