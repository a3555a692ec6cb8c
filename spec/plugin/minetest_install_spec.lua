--- scripts/plugins/minetest/install.sh: what minetest.conf says already stays.
local process = require "wingman.loop.process"

describe("the installation of wingman_sync", function()
  local world, conf
  before_each(function()
    world = os.tmpname()
    os.remove(world)
    assert(os.execute("mkdir " .. world) == 0)
    conf = world .. "/minetest.conf"
  end)
  after_each(function() os.execute("rm -rf " .. world) end)

  local function write(text)
    local file = assert(io.open(conf, "w"))
    file:write(text)
    file:close()
  end

  local function read(path)
    local file = io.open(path or conf)
    return file and file:read "*a"
  end

  local function install(...)
    local child = assert(process.spawn { file = "scripts/plugins/minetest/install.sh", args = { world, conf, ... }, stderr = true })
    local err = child:read_all(60, "stderr")
    local code = child:wait(60)
    child:close()
    return code, err
  end

  it("copies the mod and makes a file where there is none", function()
    assert.equal(0, (install("seeds=ws://a:1,ws://b:2", "server=west")))
    assert.equal("secure.trusted_mods = wingman_sync\nwingman_sync.seeds = ws://a:1,ws://b:2\nwingman_sync.server = west\n", read())
    assert.is_string(read(world .. "/worldmods/wingman_sync/hub.lua"))
  end)

  it("adds itself to the mods that are trusted, and changes settings in place", function()
    write "name = x\n  secure.trusted_mods =  one,two\n# secure.trusted_mods = old\nsecure.trusted_modsx = 1\nwingman_sync.server = before\nlast = 1"
    assert.equal(0, (install("server=a/b & c\\d", "expiry=4")))
    local expected = "name = x\nsecure.trusted_mods = one,two, wingman_sync\n# secure.trusted_mods = old\nsecure.trusted_modsx = 1\n"
      .. "wingman_sync.server = a/b & c\\d\nlast = 1\nwingman_sync.expiry = 4\n"
    assert.equal(expected, read())
    assert.equal(0, (install("server=a/b & c\\d", "expiry=4")))
    assert.equal(expected, read(), "a second run changed something")
  end)

  it("takes a setting without a value, and leaves a mod that is trusted already", function()
    write "secure.trusted_mods =\n"
    assert.equal(0, (install()))
    assert.equal("secure.trusted_mods = wingman_sync\n", read())
    write "secure.trusted_mods = a, wingman_sync ,b\n"
    assert.equal(0, (install()))
    assert.equal("secure.trusted_mods = a, wingman_sync ,b\n", read())
  end)

  it("refuses what it does not know, and changes nothing then", function()
    write "name = x\n"
    local code, err = install("seed=ws://a:1")
    assert.equal(2, code)
    assert.truthy(err:find("'seed=ws://a:1' is no setting", 1, true), err)
    assert.equal("name = x\n", read())
    assert.is_nil(read(world .. "/worldmods/wingman_sync/hub.lua"))
  end)
end)
