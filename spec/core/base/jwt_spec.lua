local core = require "wingman.core"
local support = require "spec.core.support"

local secret = "a secret for tests"
local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

--- base64url in Lua, to build tokens that jwt_sign would not make.
local function base64url(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local bits = a * 65536 + (b or 0) * 256 + (c or 0)
    for k = 3, c and 0 or b and 1 or 2, -1 do
      local digit = math.floor(bits / 64 ^ k) % 64
      out[#out + 1] = alphabet:sub(digit + 1, digit + 1)
    end
  end
  return table.concat(out)
end

--- Gives a token the header `header`; its signature then fits no longer.
local function with_header(token, header) return base64url(header) .. token:match "(%..*)$" end

describe("jwt", function()
  it("signs the example of RFC 7515's kind as other libraries do", function()
    -- From jwt.io's front page.
    local token = core.jwt_sign('{"sub":"1234567890","name":"John Doe","iat":1516239022}', "your-256-bit-secret")
    assert.equal("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      .. "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
      .. "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c", token)
  end)

  it("verifies what it signed, for every length of payload", function()
    for n = 0, 70 do
      local payload = '{"a":"' .. ("x"):rep(n) .. '"}'
      assert.equal(payload, core.jwt_verify(core.jwt_sign(payload, secret), secret, 0))
    end
  end)

  it("gives the server's reason for a text that is no token", function()
    local token = core.jwt_sign('{"sub":"u"}', secret)
    local header, payload, signature = token:match "^(.-)%.(.-)%.(.*)$"
    local cases = {
      [""] = "jwt must be provided",
      ["not-a-jwt"] = "jwt malformed",
      ["a.b"] = "jwt malformed",
      [token .. ".x"] = "jwt malformed",
      ["a.b.c"] = "invalid token",
      ["!." .. payload .. "." .. signature] = "invalid token",
      [header .. "." .. payload .. "."] = "jwt signature is required",
      [header .. "." .. payload .. ".AAAA"] = "invalid signature",
      [header .. "." .. payload .. "." .. ("A"):rep(43)] = "invalid signature",
      [header .. "." .. payload .. "." .. ("!"):rep(43)] = "invalid signature",
      [with_header(token, '{"alg":"none","typ":"JWT"}')] = "invalid algorithm",
      [with_header(token, '{"alg":"RS256"}')] = "invalid algorithm",
      [with_header(token, '{"alg":5}')] = "invalid algorithm",
      [with_header(token, "{}")] = "invalid algorithm",
      [with_header(token, '{"alg":"HS256"')] = "invalid token",
      [with_header(token, '{"alg":"HS256"}')] = "invalid signature",
    }
    for bad, reason in pairs(cases) do
      local ok, err = core.jwt_verify(bad, secret, 0)
      assert.is_nil(ok)
      assert.equal(reason, err, bad)
    end
    assert.equal("invalid signature", select(2, core.jwt_verify(token, "another secret", 0)))
  end)

  it("refuses every single changed character", function()
    local token = core.jwt_sign('{"sub":"user-1","exp":2000000000}', secret)
    for i = 1, #token do
      local other = token:sub(i, i) == "A" and "B" or "A"
      local changed = token:sub(1, i - 1) .. other .. token:sub(i + 1)
      assert.is_nil((core.jwt_verify(changed, secret, 0)), "changed at " .. i)
    end
  end)

  it("ends a token at exp, whole or fractional, and begins it at nbf", function()
    local function verify(payload, now) return core.jwt_verify(core.jwt_sign(payload, secret), secret, now) end
    assert.is_string(verify('{"exp":100}', 99))
    assert.same({ nil, "jwt expired" }, { verify('{"exp":100}', 100) })
    assert.same({ nil, "jwt expired" }, { verify('{"exp":100}', 101) })
    assert.is_string(verify('{"exp":100.5}', 100))
    assert.same({ nil, "jwt expired" }, { verify('{"exp":100.5}', 101) })
    assert.is_string(verify('{"exp":1e2}', 99))
    assert.same({ nil, "jwt expired" }, { verify('{"exp":1e2}', 100) })
    assert.same({ nil, "invalid exp value" }, { verify('{"exp":"100"}', 99) })
    assert.same({ nil, "invalid exp value" }, { verify('{"exp":null}', 99) })
    assert.is_string(verify('{"sub":"no exp","inner":{"exp":1}}', 1e9))
    assert.same({ nil, "jwt expired" }, { verify('{ "a" : ["]", {"b":"\\"}"}] ,"exp" : 5 }', 6) })
    assert.same({ nil, "jwt not active" }, { verify('{"nbf":10}', 9) })
    assert.is_string(verify('{"nbf":10}', 10))
    assert.same({ nil, "invalid nbf value" }, { verify('{"nbf":true}', 10) })
  end)

  it("refuses a signed payload that is no JSON object", function()
    for _, payload in ipairs { "", "[]", "1", "{", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1}x', '{"a":"' .. "\1" .. '"}',
      '{"a":' .. ("["):rep(100000) .. "}" } do
      assert.same({ nil, "invalid token" }, { core.jwt_verify(core.jwt_sign(payload, secret), secret, 0) })
    end
  end)

  it("reads the tokens of the recorded conversations", function()
    -- Their secret is not in the vectors, and the signature is checked before
    -- the times: that answer says that all before it was in order.
    local reasons = {}
    for _, scenario in ipairs(support.vectors("frames.json").scenarios) do
      for _, frame in ipairs(scenario.frames) do
        local json = type(frame.json) == "table" and frame.json or {}
        if frame.dir == "c2s" and json.type == "AUTH" then
          local ok, reason = core.jwt_verify(json.token, secret, 1795444907)
          assert.is_nil(ok)
          reasons[reason] = (reasons[reason] or 0) + 1
        end
      end
    end
    assert.same({ ["jwt malformed"] = 2, ["invalid signature"] = 4 }, reasons)
  end)

  it("refuses wrong arguments", function()
    assert.has_error(function() core.jwt_sign("{}\0", secret) end)
    assert.has_error(function() core.jwt_sign({}, secret) end)
    assert.has_error(function() core.jwt_verify("a.b.c", secret) end)
    assert.has_error(function() core.jwt_verify("a.b.c", secret, 0 / 0) end)
  end)

  it("does not read beyond any bytes (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed)
    local header = core.jwt_sign("{}", secret):match "^(.-)%."
    for _ = 1, 3000 do
      local text = support.random_bytes(math.random(0, 60))
      core.jwt_verify(text, secret, 0)
      core.jwt_verify(base64url(text) .. "." .. base64url(text) .. ".x", secret, 0)
      core.jwt_verify(header .. "." .. text .. "." .. ("A"):rep(43), secret, 0)
    end
  end)
end)
