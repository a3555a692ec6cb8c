local uuid = require "wingman.base.uuid"

describe("uuid", function()
  it("is a version 4 UUID, a new one each time", function()
    local seen = {}
    for _ = 1, 200 do
      local id = uuid.v4()
      assert.truthy(id:match "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$", id)
      assert.is_nil(seen[id])
      seen[id] = true
    end
  end)

  it("letters are lower case and digits, as many as wanted", function()
    assert.truthy(uuid.letters(40):match("^" .. ("[0-9a-z]"):rep(40) .. "$"))
    assert.not_equal(uuid.letters(20), uuid.letters(20))
  end)
end)
