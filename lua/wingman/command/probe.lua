--- `wingman probe`: what a node says of itself and its cluster. Nothing is written
--- to a v2 node; a 0.11 node may be sent one record that expires (see hash_probe).
local cjson = require "cjson"
local cluster_url = require "wingman.client.options.cluster_url"
local command_line = require "wingman.options.arguments"
local connection_options = require "wingman.client.options.connection"
local embedded_cluster = require "wingman.testbed"
local interrupt = require "wingman.client.interrupt"
local loop = require "wingman.loop"
local node_report = require "wingman.client.node_report"
local text_table = require "wingman.text.table"
local url_module = require "wingman.base.url"
local usage = require "wingman.options.usage"

local M = {}

M.help = [[
usage: wingman probe [OPTIONS] URL...

Prints the server family, id, partition map and hash of each node. A URL is ws://host:port
or wss://host:port, or sim://N or topgun://N, which starts a cluster and stops it again.

]] .. connection_options.USAGE .. [[
  --timeout DURATION      limit for each node, such as 500ms; default 5s
  --json                  print one JSON object per node and line

exit codes: 0 every node answered, 1 a node did not answer, 2 usage error
]]

M.RULES = command_line.all(connection_options.RULES, {
  timeout = { type = "duration", default = 5, min = 0.01, max = 3600, expected = "a duration from 10ms to 1h" },
  json = { type = "boolean" },
})

-- The options and URLs; nil and what is wrong.
local function parse(words)
  local options, mistake = command_line.read(M.RULES, words)
  if not options or options.help then return options, mistake end
  options.urls = options.words
  if #options.urls == 0 then return nil, "a URL is missing" end
  for _, url in ipairs(options.urls) do
    local ok, wrong = cluster_url.check(url)
    if not ok then return nil, wrong end
  end
  connection_options.choose(options)
  return options
end

local function row(answer)
  local own, all = 0, answer.partition_count
  for _, node in ipairs(answer.nodes or {}) do
    if node.id == answer.node_id then own = node.partitions end
  end
  return {
    answer.url, answer.dialect, answer.node_id or "?", answer.map_version or "none",
    all and ("%d of %d"):format(own, all) or "all",
    answer.rtt and text_table.duration(answer.rtt) or "?", answer.hash,
  }
end

local function print_answers(answers)
  local rows = { { "url", "family", "node", "map version", "partitions", "round trip", "hash" } }
  for _, answer in ipairs(answers) do rows[#rows + 1] = row(answer) end
  if #rows > 1 then io.write(text_table.format(rows, { heading = true })) end
end

-- Asks every URL; how many failed.
local function ask_all(urls, options, json)
  local answers, failed = {}, 0
  for _, url in ipairs(urls) do
    local answer, err = node_report.ask(url, options)
    if not answer and interrupt.is_ending() then break end
    if json then print(cjson.encode(answer or { url = url_module.shown(url), error = tostring(err) })) end
    if answer then
      answers[#answers + 1] = answer
    else
      failed = failed + 1
      io.stderr:write("wingman probe: ", tostring(err), "\n")
    end
  end
  if not json then print_answers(answers) end
  return failed
end

--- The command.
---@param arguments string[]
---@return integer exit_code
function M.main(arguments)
  local options, wrong = parse(arguments)
  local code = usage.answer("probe", M.help, options, wrong)
  if code then return code end
  return loop.run(function()
    local failed = 0
    for _, url in ipairs(options.urls) do
      if embedded_cluster.is_url(url) then
        local cluster, err = embedded_cluster.start(url)
        if cluster then
          failed = failed + ask_all(cluster.urls, { token = cluster.token, timeout = options.timeout }, options.json)
          cluster:stop()
        else
          failed = failed + 1
          io.stderr:write("wingman probe: ", tostring(err), "\n")
        end
      else
        failed = failed + ask_all({ url }, { timeout = options.timeout }, options.json)
      end
    end
    return failed == 0 and 0 or 1
  end)
end

return M
