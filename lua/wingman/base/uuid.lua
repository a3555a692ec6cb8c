--- Random identifiers from the system's random source.
local M = {}

local function random_bytes(n)
  local file = assert(io.open("/dev/urandom", "rb"))
  local bytes = file:read(n)
  file:close()
  return bytes
end

--- `n` random characters of 0-9a-z.
---@param n integer
---@return string
function M.letters(n)
  local digits = "0123456789abcdefghijklmnopqrstuvwxyz"
  return (random_bytes(n):gsub(".", function(c)
    local i = c:byte() % 36 + 1
    return digits:sub(i, i)
  end))
end

--- A version 4 UUID in lower case: ids of this form sort alike on both server
--- families.
---@return string
function M.v4()
  local b = { random_bytes(16):byte(1, 16) }
  b[7] = b[7] % 16 + 0x40
  b[9] = b[9] % 64 + 0x80
  return ("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x"):format(unpack(b))
end

return M
