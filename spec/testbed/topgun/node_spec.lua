--- A server's process, with a stand-in for the server that says where it would write.
local node_module = require "wingman.testbed.topgun.node"

local SERVER = [[
#!/bin/sh
wal=${TOPGUN_WAL_DIR:-topgun-wal}
mkdir -p "$wal" && : >"$wal/0.log"
: >"${TOPGUN_INDEX_PATH:-scalar_indexes.json}"
: >"${TOPGUN_VECTOR_INDEX_PATH:-vector_indexes.json}"
: >by-a-relative-path
echo "storage: ${STORAGE_BACKEND-unset}"
echo "PORT=1"
exec sleep 60
]]

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

describe("a node of topgun://", function()
  local folder
  before_each(function() folder = lines_of "mktemp -d" end)
  after_each(function() os.execute("rm -rf " .. folder) end)

  local function start(id, storage)
    assert.equal(0, os.execute(("mkdir %s/%s"):format(folder, id)))
    local binary = folder .. "/server"
    local file = assert(io.open(binary, "w"))
    file:write(SERVER)
    file:close()
    assert.equal(0, os.execute("chmod 755 " .. binary))
    local node = node_module.new(id, folder .. "/" .. id, 0)
    finally(function() node:halt "kill" end)
    assert(node:start(binary, "secret", {}, storage))
    node:halt "kill"
    return node
  end

  it("writes in its own folder only, whatever the path is", function()
    local before = lines_of "ls -A"
    start "node-1"
    start "node-2"
    assert.equal(before, lines_of "ls -A")
    local files = "by-a-relative-path\nlog\nscalar_indexes.json\ntopgun-wal\nvector_indexes.json"
    assert.equal(files, lines_of(("ls %s/node-1"):format(folder)))
    assert.equal(files, lines_of(("ls %s/node-2"):format(folder)))
  end)

  it("is told its storage, and has the environment's without it", function()
    local inherited = os.getenv "STORAGE_BACKEND" or "unset"
    assert.equal("storage: null", start("node-1", "null"):output():match "storage: %w+")
    assert.equal("storage: " .. inherited, start("node-2"):output():match "storage: %w+")
  end)
end)
