--- What of a URL a person may see.
local url = require "wingman.base.url"

describe("A URL that is shown", function()
  for given, shown in pairs {
    ["ws://ann:secret@host:9000/ws"] = "ws://***@host:9000/ws",
    ["wss://ann@host"] = "wss://***@host",
    ["http://ann:p@ss@proxy:3128"] = "http://***@proxy:3128",
    ["ws://:@host"] = "ws://***@host",
    ["ws://ann:secret@host/ws?token=secret"] = "ws://***@host/ws?token=***",
  } do
    it(given .. " is " .. shown .. " without its user", function()
      assert.equal(shown, url.shown(given))
      assert.is_true(url.has_user(given))
    end)
  end

  for given, shown in pairs {
    ["ws://host/@x"] = "ws://host/@x",
    ["ws://[::1]:9000"] = "ws://[::1]:9000",
    ["no URL"] = "no URL",
    ["ws://host:9000/ws?user=a@b"] = "ws://host:9000/ws?user=***",
    ["ws://host/?token=secret&node=1"] = "ws://host/?token=***&node=***",
    ["ws://host?token=a=b?c,d"] = "ws://host?token=***",
    ["ws://host/?secret"] = "ws://host/?***",
    ["ws://host/?"] = "ws://host/?",
    ["ws://host/?&token="] = "ws://host/?&token=***",
    ["ws://host/#secret"] = "ws://host/#***",
    ["ws://host/?token=secret#secret"] = "ws://host/?token=***#***",
    ["ws://host/?next=http://ann:secret@c"] = "ws://host/?next=***",
    ["sim://3?dialect=0.11"] = "sim://3?dialect=0.11",
    ["topgun://3?x=1"] = "topgun://3?x=1",
  } do
    it(given .. " is " .. shown, function()
      assert.equal(shown, url.shown(given))
      assert.is_false(url.has_user(given))
    end)
  end

  for given, shown in pairs {
    ["http://a:1,http://ann:secret@b:2, ws://bob:secret@c"] = "http://a:1,http://***@b:2, ws://***@c",
    ["ws://a/?token=secret,ws://b/?token=secret, wss://c/ws"] = "ws://a/?token=***,ws://b/?token=***, wss://c/ws",
    ["ann:secret@host:9000"] = "***@host:9000",
    ["wss//ann:p@ss@host"] = "***@host",
    ["host:9000/?token=secret"] = "host:9000/?token=***",
    ["ann:secret@host?mail=a@b"] = "***@host?mail=***",
  } do
    it(given .. ", which is none, is " .. shown, function()
      assert.equal(shown, url.shown(given))
      assert.is_false(url.has_user(given))
    end)
  end
end)
