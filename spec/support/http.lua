--- One HTTP request to a local port, for the administration of a real server.
local cjson = require "cjson"
local loop = require "wingman.loop"
local stream = require "wingman.loop.stream"

local M = {}

local PATIENCE = 20

--- Sends a POST with a JSON body. The status and the decoded body; raises when nothing answers.
---@param port integer
---@param path string
---@param body table
---@param token string|nil
---@return integer status, any body
function M.post(port, path, body, token)
  local peer = assert(stream.connect { port = port })
  local text = cjson.encode(body)
  peer:write(("POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s")
    :format(path, token and ("Authorization: Bearer %s\r\n"):format(token) or "", #text, text))
  local answer, deadline = "", loop.now() + PATIENCE
  while loop.now() < deadline do
    local piece = peer:read(PATIENCE)
    if not piece then break end
    answer = answer .. piece
  end
  peer:close()
  local status = answer:match "^HTTP/1.%d (%d+)"
  assert(status, "no answer to POST " .. path)
  local ok, decoded = pcall(cjson.decode, answer:match "\r\n\r\n(.*)" or "")
  return tonumber(status), ok and decoded or nil
end

return M
