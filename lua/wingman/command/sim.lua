--- `wingman sim`: reads the options of a simulated cluster, which the executable runs.
local command_line = require "wingman.options.arguments"
local sim_options = require "wingman.testbed.sim_options"
local usage = require "wingman.options.usage"

local M = {}

M.help = [[
usage: wingman sim [OPTIONS]

Runs a simulated TopGun cluster on this machine until Ctrl-C. Keeps everything in memory: it
imitates the protocol of the servers, with their faults, and is no database.

  --nodes N          number of nodes, 1 to 64; default 3
  --dialect D        v2 or 0.11: the server family to imitate; default v2
  --release R        v2 only: 2.2.0 or head, the newest source (August 2026) with disk storage;
                     default 2.2.0
  --hash H[,H,...]   the string hash for keys, fnv1a or xxh64: one for all nodes, or one for
                     each; default fnv1a. v2 has fnv1a only
  --ports A,B,C      ports for clients, one for each node; 0: the system chooses; default 0
  --partitions N     number of partitions, 1 to 1024; default 271
  --secret S         secret of the tokens (HS256); default: random, and printed
  --no-auth          accept connections without a token
  --rate N           v2 only: operations per second and connection, above which a node drops
                     a frame and answers ERROR 429; 0: no limit; default: none, on head 20000
  --event-queue N    v2 only: events that may wait for a connection; a node drops those beyond
                     them without a word, and never an answer. 0: any number; default 256
  --detection-ms N   time that the other nodes take to notice a killed node; default 50
  --spread-ms N      0.11 only: after a membership change each node updates its partition map
                     at a random moment within this time; default 150
  --seed N           seed of all random choices; default 1
  --sink             read, count and acknowledge batches, but store nothing: for measuring
                     load generators
  --control          for programs: print one line of JSON when the cluster is ready, then read
                     commands from standard input, one a line, and answer each with one line
                     of JSON. Runs until the input ends
  --help             print this text

exit codes: 0 done, 1 a port cannot be used, 2 usage error
]]

M.RULES = command_line.all(sim_options.RULES, {
  ports = { type = "string", read = sim_options.read_ports }, control = { type = "boolean" },
})

--- Reads the command line. The cluster runs once this Lua state has ended, so that it costs the simulator nothing.
---@param arguments string[]
---@return integer exit_code
function M.main(arguments)
  local options, wrong = command_line.read(M.RULES, arguments)
  local code = usage.answer("sim", M.help, options, wrong)
  if code then return code end
  if options.words[1] then return usage.refuse("sim", ("'%s' is no option"):format(options.words[1])) end
  local completed, name, reason = sim_options.complete(options)
  if not completed then return usage.refuse("sim", ("--%s: %s"):format(name:gsub("_", "-"), reason)) end
  require("wingman.simulator").choose(completed)
  return 0
end

return M
