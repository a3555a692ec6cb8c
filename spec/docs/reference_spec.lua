--- docs/reference is written from the code by scripts/reference.lua, and says what the code says.
package.path = "scripts/?.lua;" .. package.path
local api = require "reference.api"
local files = require "spec.support.files"
local reference_pages = require "reference.pages"

describe("docs/reference", function()
  for name, text in pairs(reference_pages()) do
    it(("has %s as the code has it"):format(name), function()
      local path = ("docs/reference/%s.md"):format(name)
      if text == files.read(path) then return end
      error(path .. " is old: build/wingman run scripts/reference.lua writes it anew", 0)
    end)
  end

  it("leaves no public function out: each has a comment that says what it does", function()
    local silent = api.silent()
    assert(#silent == 0, "without a doc comment: " .. table.concat(silent, ", "))
  end)
end)
