--- The few calls into the core that a virtual user's loop makes: through the FFI, so
--- that LuaJIT compiles them with the loop.
local ffi = require "ffi"
local core = require "wingman.core"

ffi.cdef [[
typedef struct wm_histogram wm_histogram;
uint64_t wm_now_us(void);
void wm_histogram_record(wm_histogram *h, uint64_t value);
typedef struct wm_client wm_client;
uint32_t wm_client_in_flight(const wm_client *c);
typedef struct wm_op_context { uint64_t since_us; uint32_t late_us; uint32_t tag; } wm_op_context;
]]

local C = ffi.load(core.path)
local M = {}

--- Monotonic microseconds, a whole number; the clock of loop.now().
---@return number
function M.now_us() return tonumber(C.wm_now_us()) end

--- The histogram as the FFI knows it, for M.record. Valid while it is open.
---@param histogram wingman.histogram
---@return ffi.cdata*
function M.histogram(histogram) return ffi.cast("wm_histogram *", histogram:pointer()) end

--- Counts a value >= 0 in what M.histogram gave.
M.record = C.wm_histogram_record

--- What operations that are recorded now belong to: fields since_us, late_us, tag.
---@param metrics userdata  wingman.core.op_metrics, which has to outlive it
---@return ffi.cdata*
function M.context(metrics) return ffi.cast("wm_op_context *", metrics:context()) end

--- The client's core as the FFI knows it, for M.in_flight. Valid while it is open.
---@param core_client userdata  wingman.core.client
---@return ffi.cdata*
function M.client(core_client) return ffi.cast("const wm_client *", core_client:pointer()) end

--- How many operations of what M.client gave were sent and are not acknowledged.
M.in_flight = C.wm_client_in_flight

return M
