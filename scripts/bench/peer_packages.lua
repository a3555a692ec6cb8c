--- The npm packages of the peers in plain JavaScript (`peer/package.json`, exactly the
--- versions of `peer/package-lock.json`), installed into build/bench-peer when missing.
local process = require "wingman.loop.process"

local M = {}

local function run(file, args, cwd)
  local child = assert(process.spawn { file = file, args = args, cwd = cwd, stderr = true })
  local out = child:read_all(120)
  local err = child:read_all(120, "stderr")
  local code = child:wait(120)
  child:close()
  if code ~= 0 then return nil, ("%s %s failed:\n%s%s"):format(file, table.concat(args, " "), out, err) end
  return true
end

local function same(a, b)
  local one, other = io.open(a, "rb"), io.open(b, "rb")
  local is_same = one and other and one:read "*a" == other:read "*a"
  if one then one:close() end
  if other then other:close() end
  return is_same
end

--- Where they are; NODE_PATH is its node_modules. nil, a text when npm failed.
---@param directory string  of the benchmarks
---@return string|nil, string|nil
function M.install(directory)
  local work, source = directory .. "/../../build/bench-peer", directory .. "/peer/"
  local ok, err = run("mkdir", { "-p", work })
  if not ok then return nil, err end
  if same(source .. "package-lock.json", work .. "/installed.json") then return work end
  io.stderr:write "installing the peer's npm packages\n"
  for _, step in ipairs {
    { "cp", { source .. "package.json", source .. "package-lock.json", work } },
    { "npm", { "ci", "--no-audit", "--no-fund", "--omit=optional" }, work },
    { "cp", { source .. "package-lock.json", work .. "/installed.json" } },
  } do
    ok, err = run(unpack(step, 1, 3))
    if not ok then return nil, err end
  end
  return work
end

return M
