--- Reads the pictures that a browser makes of a page: PNG, 8 bits, not interlaced.
local ffi = require "ffi"

ffi.cdef "int uncompress(uint8_t *dest, unsigned long *dest_len, const uint8_t *source, unsigned long source_len);"
local zlib = ffi.load "libz.so.1"

local M = {}

local function number(text, at)
  local a, b, c, d = text:byte(at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local function inflate(data, size)
  local out, length = ffi.new("uint8_t[?]", size), ffi.new("unsigned long[1]", size)
  assert(zlib.uncompress(out, length, ffi.cast("const uint8_t *", data), #data) == 0 and length[0] == size, "a broken PNG")
  return out
end

local function paeth(a, b, c)
  local pa, pb, pc = math.abs(b - c), math.abs(a - c), math.abs(a + b - 2 * c)
  return pa <= pb and pa <= pc and a or pb <= pc and b or c
end

-- Undoes the filter of each line, in place.
local function unfilter(bytes, stride, height, step)
  for y = 0, height - 1 do
    local line, kind = y * (stride + 1) + 1, bytes[y * (stride + 1)]
    local above = line - stride - 1
    for i = 0, stride - 1 do
      local left = i >= step and bytes[line + i - step] or 0
      local up = y > 0 and bytes[above + i] or 0
      local corner = y > 0 and i >= step and bytes[above + i - step] or 0
      local add = kind == 1 and left or kind == 2 and up or kind == 3 and math.floor((left + up) / 2)
        or kind == 4 and paeth(left, up, corner) or 0
      bytes[line + i] = (bytes[line + i] + add) % 256
    end
  end
end

--- A picture with pixel(x, y) -> "#rrggbb", from 0.
---@param path string
function M.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  assert(text:sub(1, 8) == "\137PNG\r\n\26\n", path .. " is no PNG")
  local data, at = {}, 9
  local width, height = number(text, 17), number(text, 21)
  local step = assert(({ [2] = 3, [6] = 4 })[text:byte(26)], "a PNG of RGB or RGBA is expected")
  while at < #text do
    local length, kind = number(text, at), text:sub(at + 4, at + 7)
    if kind == "IDAT" then data[#data + 1] = text:sub(at + 8, at + 7 + length) end
    at = at + 12 + length
  end
  local stride = width * step
  local bytes = inflate(table.concat(data), (stride + 1) * height)
  unfilter(bytes, stride, height, step)
  local picture = { width = width, height = height }
  function picture.pixel(x, y)
    local i = y * (stride + 1) + 1 + x * step
    return ("#%02x%02x%02x"):format(bytes[i], bytes[i + 1], bytes[i + 2])
  end
  --- How many pixels have that colour.
  function picture.count(colour)
    local r, g, b = tonumber(colour:sub(2, 3), 16), tonumber(colour:sub(4, 5), 16), tonumber(colour:sub(6, 7), 16)
    local n = 0
    for y = 0, height - 1 do
      for i = y * (stride + 1) + 1, y * (stride + 1) + stride, step do
        if bytes[i] == r and bytes[i + 1] == g and bytes[i + 2] == b then n = n + 1 end
      end
    end
    return n
  end
  return picture
end

return M
