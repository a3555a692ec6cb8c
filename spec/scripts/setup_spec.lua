--- scripts/setup.sh: what a tree is built with, by a `cmake` that only says what it was given.
local files = require "spec.support.files"

local SANITIZED = "WINGMAN_SANITIZE:BOOL=ON\nCMAKE_BUILD_TYPE:STRING=Debug\nCMAKE_C_COMPILER:FILEPATH=/usr/bin/clang-14\n"
local OPTIONS = "-DWINGMAN_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang-14"

describe("scripts/setup.sh", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute(("mkdir -p '%s/tree'"):format(folder)) == 0)
    files.write(folder .. "/cmake", ("#!/bin/sh\necho \"$1\" >>'%s/calls'\n"):format(folder))
    assert(os.execute(("chmod +x '%s/cmake'"):format(folder)) == 0)
  end)
  after_each(function() os.execute(("rm -r '%s'"):format(folder)) end)

  -- The calls of cmake that build a tree with this cache; nil: it has none.
  local function calls(cache, options)
    files.write(folder .. "/tree/Makefile", "")
    if cache then files.write(folder .. "/tree/CMakeCache.txt", cache) end
    local command = (". scripts/setup.sh; PATH='%s':$PATH; build '%s/tree' %s"):format(folder, folder, options)
    assert.equal(0, os.execute(("bash -c \"%s\" 2>/dev/null"):format(command)))
    return files.read(folder .. "/calls")
  end

  it("configures a tree again that has other options, or no cache", function()
    assert.equal("-S\n--build\n", calls(SANITIZED:gsub("=ON", "=OFF"), OPTIONS))
    os.remove(folder .. "/calls")
    assert.equal("-S\n--build\n", calls(SANITIZED:gsub("Debug", ""), OPTIONS))
    os.remove(folder .. "/calls")
    os.remove(folder .. "/tree/CMakeCache.txt")
    assert.equal("-S\n--build\n", calls(nil, OPTIONS))
  end)

  it("only builds a tree that has them", function()
    assert.equal("--build\n", calls(SANITIZED, OPTIONS))
    os.remove(folder .. "/calls")
    assert.equal("--build\n", calls("", ""))
  end)
end)
