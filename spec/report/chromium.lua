--- A headless Chromium with a fresh profile for each question, and what it tells of a
--- page: a picture, the document after loading, its console, the requests it made.
local cjson = require "cjson"
local process = require "wingman.loop.process"

local M = {}

local FLAGS = {
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
  "--enable-logging=stderr", "--log-level=0", "--force-device-scale-factor=1",
  "--host-resolver-rules=MAP * ~NOTFOUND", -- what the browser asks for itself gets nowhere
}

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

--- Where Chromium is, or nil.
---@return string|nil
function M.path()
  local found = lines_of "command -v chromium || command -v chromium-browser || command -v google-chrome"
  return found:match "^(%S+)"
end

-- The URLs that a page asked for, by the net log; the browser asks for some itself.
local function requests(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  if not pcall(cjson.decode, text) then text = text:gsub(",%s*$", "") .. "]}" end
  local log, urls = cjson.decode(text), {}
  for _, event in ipairs(log.events) do
    local url = type(event.params) == "table" and event.params.url
    if type(url) == "string" and event.type == log.constants.logEventTypes.URL_REQUEST_START_JOB then
      if event.params.initiator ~= "not an origin" then urls[#urls + 1] = url end
    end
  end
  return urls
end

--- Loads a file. `options.screenshot` is where a picture goes, `options.dark` the
--- reader's preference, `options.width` and `height` the window.
---@return { dom: string, console: string[], requests: string[] }
function M.load(path, options)
  local directory = os.tmpname()
  os.remove(directory)
  assert(os.execute("mkdir " .. directory) == 0)
  local args = { unpack(FLAGS) }
  local function add(flag, ...) args[#args + 1] = flag:format(...) end
  add("--user-data-dir=%s/profile", directory)
  add("--log-net-log=%s/net.json", directory)
  add("--blink-settings=preferredColorScheme=%d", options.dark and 0 or 1)
  add("--window-size=%d,%d", options.width or 1040, options.height or 3400)
  if options.screenshot then add("--screenshot=%s", options.screenshot) else add "--dump-dom" end
  add("file://%s", path)
  local child = assert(process.spawn { file = M.path(), args = args, stderr = true, env = { HOME = directory } })
  local stdout = child:read_all(240)
  local stderr = child:read_all(60, "stderr")
  local code = child:wait(60)
  child:close()
  local console = {}
  for line in (stderr or ""):gmatch "[^\n]+" do
    if line:find ":CONSOLE" then console[#console + 1] = line end
  end
  local urls = code == 0 and requests(directory .. "/net.json")
  os.execute("rm -rf " .. directory)
  assert(code == 0, ("chromium ended with %s: %s"):format(tostring(code), tostring(stderr)))
  return { dom = stdout, console = console, requests = urls }
end

return M
