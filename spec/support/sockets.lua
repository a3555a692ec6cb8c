--- Listeners that are up to no good: plain sockets, which nobody serves.
local core = require "wingman.core"
local ffi = require "ffi"
local loop = require "wingman.loop"

ffi.cdef [[
  struct spec_in4 { uint16_t family, port; uint8_t address[4], zero[8]; };
  struct spec_in6 { uint16_t family, port; uint32_t flow; uint8_t address[16]; uint32_t scope; };
  struct spec_linger { int on, seconds; };
  int socket(int domain, int type, int protocol);
  int bind(int fd, const void *address, unsigned length);
  int listen(int fd, int backlog);
  int connect(int fd, const void *address, unsigned length);
  int accept4(int fd, void *address, unsigned *length, int flags);
  int getsockname(int fd, void *address, unsigned *length);
  int setsockopt(int fd, int level, int option, const void *value, unsigned length);
  ssize_t recv(int fd, void *bytes, size_t size, int flags);
  ssize_t send(int fd, const void *bytes, size_t size, int flags);
  int close(int fd);
  int inet_pton(int family, const char *text, void *out);
]]

local C, bit = ffi.C, require "bit"
local AF_INET, AF_INET6, SOCK_STREAM, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC = 2, 10, 1, 2, 2048, 524288
local SOL_SOCKET, SO_REUSEADDR, SO_LINGER, EAGAIN, MSG_DONTWAIT = 1, 2, 13, 11, 64

local M = {}

local function swapped(port) return bit.bor(bit.lshift(bit.band(port, 255), 8), bit.rshift(port, 8)) end

local function sockaddr(address, port)
  local ipv6 = address:find(":", 1, true) ~= nil
  local result = ipv6 and ffi.new "struct spec_in6" or ffi.new "struct spec_in4"
  result.family, result.port = ipv6 and AF_INET6 or AF_INET, swapped(port)
  assert(C.inet_pton(result.family, address, result.address) == 1, address)
  return result
end

local function socket(family)
  return C.socket(family, SOCK_STREAM + SOCK_NONBLOCK + SOCK_CLOEXEC, 0)
end

---@class spec.listener
---@field port integer
local listener = {}
listener.__index = listener

---@class spec.peer
local peer = {}
peer.__index = peer

-- Closed with the listener.
function listener:keep(fd)
  local kept = setmetatable({ fd = fd }, peer)
  self.peers[#self.peers + 1] = kept
  return kept
end

--- Listens without ever serving: connections come about and nothing is said.
---@param address string
---@param port integer|nil  default: one that is free
---@param backlog integer|nil
---@return spec.listener|nil  nil when the address or port cannot be had
function M.listen(address, port, backlog)
  local where = sockaddr(address, port or 0)
  local fd = socket(where.family)
  if fd < 0 then return nil end
  C.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ffi.new("int[1]", 1), 4)
  if C.bind(fd, where, ffi.sizeof(where)) ~= 0 or C.listen(fd, backlog or 64) ~= 0 then
    C.close(fd)
    return nil
  end
  C.getsockname(fd, where, ffi.new("unsigned[1]", ffi.sizeof(where)))
  return setmetatable({ fd = fd, address = address, port = swapped(where.port), peers = {} }, listener)
end

local guards = {}

--- A TCP port of the loopback address for a program that cannot be given port 0. It is kept for it until this process
--- ends.
---@return integer
function M.free_tcp_port()
  local port, guard = assert(core.port_guard())
  guards[#guards + 1] = guard
  return port
end

local function own_pid()
  local file = assert(io.open "/proc/self/stat")
  local pid = file:read "*n"
  file:close()
  return pid
end

local ports_given = 0

--- The same for UDP, where nobody can keep a port for another: one that can be bound now. The system gives those from
--- 32768 on to whoever connects, so it is one below; each process has others of them, and gives each once.
---@return integer
function M.free_udp_port()
  for _ = 1, 100 do
    local port = 10000 + (own_pid() * 53 + ports_given) % 22000
    ports_given = ports_given + 1
    local where = sockaddr("127.0.0.1", port)
    local fd = C.socket(AF_INET, SOCK_DGRAM + SOCK_CLOEXEC, 0)
    local is_free = C.bind(fd, where, ffi.sizeof(where)) == 0
    C.close(fd)
    if is_free then return port end
  end
  error "no port is free"
end

--- Whether a TCP port of the loopback address is bound, listening or not: whoever takes any port never gets it.
---@param port integer
---@return boolean
function M.is_kept(port)
  local where = sockaddr("127.0.0.1", port)
  local fd = C.socket(AF_INET, SOCK_STREAM + SOCK_CLOEXEC, 0)
  local is_free = C.bind(fd, where, ffi.sizeof(where)) == 0
  C.close(fd)
  return not is_free
end

--- A listener whose queue is full: a connection to it neither comes about nor fails.
---@param address string
---@param port integer|nil
---@return spec.listener|nil
function M.blackhole(address, port)
  local self = M.listen(address, port, 0)
  if not self then return nil end
  local where = sockaddr(address, self.port)
  for _ = 1, 4 do C.connect(self:keep(socket(where.family)).fd, where, ffi.sizeof(where)) end
  return self
end

--- A connection to a listener, of this process or another; the caller closes it.
---@param address string
---@param port integer
---@return spec.peer
function M.connect(address, port)
  local where = sockaddr(address, port)
  local fd = C.socket(where.family, SOCK_STREAM + SOCK_CLOEXEC, 0)
  assert(C.connect(fd, where, ffi.sizeof(where)) == 0, "nobody listens")
  return setmetatable({ fd = fd }, peer)
end

--- The next connection that came about, nil when there is none.
---@return spec.peer|nil
function listener:accept()
  local fd = C.accept4(self.fd, nil, nil, SOCK_NONBLOCK + SOCK_CLOEXEC)
  if fd < 0 then return nil end
  return self:keep(fd)
end

--- What has come since the last call: bytes, "" for nothing, nil when the other end has
--- closed or reset the connection.
---@return string|nil
function peer:read()
  local bytes = ffi.new "char[4096]"
  local n = C.recv(self.fd, bytes, 4096, MSG_DONTWAIT)
  if n > 0 then return ffi.string(bytes, n) end
  if n < 0 and ffi.errno() == EAGAIN then return "" end
  return nil
end

--- Waits until the other end has closed the connection.
function peer:is_closed_within(seconds)
  return loop.wait_until(function() return self:read() == nil end, seconds)
end

function peer:write(bytes) return C.send(self.fd, bytes, #bytes, 16384) == #bytes end -- MSG_NOSIGNAL

--- Resets the connection: RST, no FIN.
function peer:reset()
  C.setsockopt(self.fd, SOL_SOCKET, SO_LINGER, ffi.new("struct spec_linger", 1, 0), 8)
  self:close()
end

function peer:close()
  if self.fd then C.close(self.fd) end
  self.fd = nil
end

function listener:close()
  C.close(self.fd)
  for _, kept in ipairs(self.peers) do kept:close() end
  self.peers = {}
end

return M
