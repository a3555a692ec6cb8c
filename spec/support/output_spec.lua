local files = require "spec.support.files"
local process = require "wingman.loop.process"

describe("the output of specs", function()
  it("shows the source line of an assertion that failed", function()
    local path = os.tmpname()
    finally(function() os.remove(path .. "_spec.lua") os.remove(path) end)
    files.write(path .. "_spec.lua", 'it("is small", function()\n  local count = 7\n  assert.is_true(count < 5)\nend)\n')
    local child = assert(process.spawn { file = process.wingman_path(), args = { "run", "spec/run.lua", path .. "_spec.lua" } })
    local text = child:read_all(60)
    assert.equal(1, (child:wait(60)))
    child:close()
    assert.truthy(text:find("_spec.lua:3: Expected objects to be the same", 1, true), text)
    assert.truthy(text:find("the line: assert.is_true(count < 5)", 1, true), text)
  end)
end)
