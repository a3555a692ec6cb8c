local files = require "spec.support.files"
local process = require "wingman.loop.process"

describe("the output of specs", function()
  -- What is printed when this spec file fails.
  local function printed(source)
    local path = os.tmpname()
    finally(function() os.remove(path .. "_spec.lua") os.remove(path) end)
    files.write(path .. "_spec.lua", source)
    local child = assert(process.spawn { file = process.wingman_path(), args = { "run", "spec/run.lua", path .. "_spec.lua" } })
    local text = child:read_all(60)
    assert.equal(1, (child:wait(60)))
    child:close()
    return text
  end

  it("shows how the clients were that were open", function()
    local text = printed [[
      local wingman = require "wingman"
      describe("a client", function()
        local client
        before_each(function() client = wingman.client { server = "ws://127.0.0.1:1", log_to = function() end } end)
        after_each(function() client:close() end)
        it("drains", function()
          client:map("m"):set("key", 1)
          assert(client:drain(0))
        end)
      end)]]
    assert.truthy(text:find("client 1: DISCONNECTED, 0 nodes connected", 1, true), text)
    assert.matches("backlog {.*pending = 1", text)
  end)

  it("shows the source line of an assertion that failed", function()
    local text = printed 'it("is small", function()\n  local count = 7\n  assert.is_true(count < 5)\nend)\n'
    assert.truthy(text:find("_spec.lua:3: Expected objects to be the same", 1, true), text)
    assert.truthy(text:find("the line: assert.is_true(count < 5)", 1, true), text)
  end)
end)
