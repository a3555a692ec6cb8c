-- For `luacheck lua scripts spec`, which scripts/test/check.sh runs: any warning fails the tests.
std = "luajit"
max_line_length = false -- a text for users stays in one piece, so that it is found

ignore = {
  "212/self", -- a method that fills a role keeps its signature
  "431/err", -- a second failure is called err, as the first one is
  "581", -- `not (x > 0)` is true for NaN, `x <= 0` is not
}

-- What they replace for the whole program, and why is said there.
files["lua/wingman/command/repl.lua"].globals = { "os.exit" }
files["lua/wingman/repl/terminal/interactive.lua"].globals = { "os.exit" }
files["lua/wingman/repl/terminal/output.lua"].globals = { "io.read", "io.write", "os.execute", "print" }
files["lua/wingman/client/interrupt.lua"].globals = { "os.exit" }

files["spec"].std = "luajit+busted"
files["spec/run.lua"].globals = { "arg" }
files["spec/support/without_jit.lua"].globals = { "arg" }
files["spec/client/methods/callbacks_spec.lua"].globals = { "io.stderr" }

-- Mods, which Minetest runs.
files["scripts/plugins/minetest"].read_globals = { "minetest" }
files["spec/support/minetest"].globals = { "minetest" }
