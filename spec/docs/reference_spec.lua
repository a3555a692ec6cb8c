--- What scripts/reference.lua writes from the code is as the code has it.
package.path = "scripts/?.lua;" .. package.path
local api = require "reference.api"
local files = require "spec.support.files"
local reference_pages = require "reference.pages"

describe("the reference", function()
  for path, text in pairs(reference_pages()) do
    it("has " .. path .. " as the code has it", function()
      if text == files.read(path) then return end
      error(path .. " is old: build/wingman run scripts/reference.lua writes it anew", 0)
    end)
  end

  it("leaves no public function and no field of its types out: each has a comment that says what it does", function()
    local silent = api.silent()
    assert(#silent == 0, "without a doc comment: " .. table.concat(silent, ", "))
  end)
end)
