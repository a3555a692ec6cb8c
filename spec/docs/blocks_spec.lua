--- Every fenced `lua` block of the pages runs. What follows `lua` says how:
---
---   ```lua            a whole script: `wingman run` ends with 0
---   ```lua client     a part of one, in a task; `client` is started on sim://3, `wingman` is there
---   ```lua load       a load test: `wingman run --quiet` ends with 0, its limits of times raised
---   ```lua plugin     a file that returns callbacks: on_move, on_tick until all is acknowledged, on_shutdown
---   ```lua prompt     lines for `wingman repl sim://3 -`
---   ```lua not run: REASON
local load_run = require "spec.support.load_run"
local pages = require "spec.support.pages"
local process = require "wingman.loop.process"

-- The text stands on the line that it has in its page, so that errors point there.
local function at_its_line(block, head) return ("\n"):rep(block.line - 2) .. head .. "\n" .. block.text end

local heads = {
  client = 'local wingman = require "wingman" return wingman.run(function() local client = assert(wingman.client { cluster = "sim://3" }) '
    .. "assert(client:start())",
  plugin = 'local wingman = require "wingman" local plugin = (function()',
}
local tails = {
  client = "client:close() end)",
  plugin = [[
  end)()
  plugin.on_move("ann", 1, 2)
  local client = require("wingman.client.open_clients").list()[1]
  assert(require("wingman.loop").wait_until(function()
    plugin.on_tick()
    return client:pending_ops() == 0
  end, 20), "what on_move wrote was not acknowledged")
  plugin.on_shutdown()
  assert(client.closed, "on_shutdown leaves the client open")
  ]],
}

local function whole(block, kind)
  return at_its_line(block, heads[kind] or "") .. (tails[kind] or "")
end

-- What a page asks of a quiet machine is not asked of the one that runs the specs.
local function patient(text) return (text:gsub('<%s*%d+m?s"', '<1000s"')) end

local function run_script(args, text, folder)
  local child = assert(process.spawn { file = process.wingman_path(), args = args, stdin = true, stderr = true, cwd = folder })
  assert(child:write(text))
  child:close_stdin()
  local code, out, err = load_run.finish(child)
  return code, out .. err
end

local runners = {
  [""] = function(block) return run_script({ "run", "-" }, whole(block, "")) end,
  client = function(block) return run_script({ "run", "-" }, whole(block, "client")) end,
  plugin = function(block) return run_script({ "run", "-" }, whole(block, "plugin")) end,
  load = function(block) return run_script({ "run", "--quiet", "-" }, patient(whole(block, "load"))) end,
  prompt = function(block) return run_script({ "repl", "sim://3", "-" }, block.text) end,
}

--- Blocks that do not run, each for a reason that its fence gives. One more needs a look.
local NOT_RUN = 1

describe("the lua blocks of", function()
  local not_run = 0
  for _, path in ipairs(pages.list()) do
    for _, block in ipairs(pages.blocks(path)) do
      if block.language == "lua" then
        local run = runners[block.info]
        local reason = block.info:match "^not run: (.+)$"
        if reason then
          not_run = not_run + 1
          it(("%s:%d are Lua, if not run (%s)"):format(path, block.line, reason), function()
            assert(loadstring(block.text, "=" .. path))
          end)
        else
          it(("%s:%d run"):format(path, block.line), function()
            assert(run, ("%s:%d: nobody knows how to run a block '%s'"):format(path, block.line - 1, block.info))
            local code, said = run(block)
            if code ~= 0 then error(("%s:%d ended with %s:\n%s"):format(path, block.line, tostring(code), said), 0) end
          end)
        end
      end
    end
  end

  it("all pages: so few are not run", function() assert.equal(NOT_RUN, not_run) end)
end)
