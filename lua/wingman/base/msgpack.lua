--- MessagePack as TopGun speaks it: Lua values to bytes and back.
---
--- WHAT BECOMES WHAT, WRITING
---
---   nil (alone), wingman.null     nil. wingman.null is cjson.null, so decoded
---                                 JSON passes straight through
---   boolean                       boolean
---   number, whole and between     the smallest integer form; -0 is 0
---     -2^31 and 2^32-1
---   any other number              float64. So 2^40 arrives as the float
---                                 1099511627776.0, as it does from a JavaScript
---                                 client: servers of the 0.11 family refuse
---                                 64-bit integers in most fields
---   int64_t, uint64_t (cdata)     an integer, always: the smallest form, 64 bits
---                                 wide beyond 32 bits. Exact, but see above
---   string                        str when it is UTF-8, else bin
---   bin(string)                   bin
---   table with the keys 1 .. n    array
---   table with string keys        map; the order of its pairs is not fixed
---   empty table                   map
---   array{..}, map{..}            array or map, also when empty
---   array{n = 3, "a", nil, "c"}   array of n elements, nil for the holes
---
--- These are errors that name the value's place and the reason: a hole in an
--- unmarked list, keys of both kinds, a map key that is no string or not UTF-8,
--- functions, coroutines, userdata, other cdata, timestamps, a table nested in
--- itself or deeper than 128 levels. No metamethod is called: what a table
--- shows through __index is not written.
---
--- WHAT BECOMES WHAT, READING
---
---   nil                           wingman.null, also alone
---   integer up to +-2^53, floats  number
---   other integers                int64_t cdata, or uint64_t above 2^63-1: exact
---   str, bin                      string. A bin that happens to be UTF-8 would be
---                                 written as str again; mark it with bin()
---   array, map                    table; an empty array carries the array mark,
---                                 so that it stays an array when written again
---   map keys                      strings, numbers or booleans; the last of
---                                 several equal ones wins
---   JavaScript's undefined        in a map: the field is not there; in an array:
---     (d4 00 00)                  wingman.null; alone: nil
---   timestamp extension           {seconds =, nanoseconds =} with the mark
---                                 is_timestamp() knows; a Date without a time is
---                                 wingman.null. Not written back: extensions end
---                                 a conversation with a v2 server
---   other extensions              nil and an error that names the type
---
--- Integers above 2^53 do not survive a JavaScript peer, in either direction.

local core = require "wingman.core"

local getmetatable, setmetatable, type = getmetatable, setmetatable, type

local M = {}

--- Stands for nil inside tables. The same as cjson.null.
M.null = core.null

core.bin_mark.__tostring = function(value) return value.bytes end

--- Encodes one value.
---@param value any
---@param max_bytes? integer refuse what takes more; default 64 MiB
---@return string? bytes nil when the value cannot be encoded
---@return string? err names the place inside the value and the reason
function M.encode(value, max_bytes) return core.encode(value, max_bytes) end

--- Decodes the value that starts at `pos`. Bytes may follow it.
---@param bytes string
---@param pos? integer default 1
---@return any value nil on errors, and for an `undefined` that stands alone
---@return integer|string next_pos where the next value would start, or the error
function M.decode(bytes, pos) return core.decode(bytes, pos) end

--- Marks a table as a MessagePack array, in place. Needed for an empty array, and for one with
--- holes, whose length is its field `n`.
---@generic T: table
---@param list? T a new table unless given
---@return T
function M.array(list) return setmetatable(list or {}, core.array_mark) end

--- Marks a table as a MessagePack map, in place. Its keys must be strings.
---@generic T: table
---@param fields? T a new table unless given
---@return T
function M.map(fields) return setmetatable(fields or {}, core.map_mark) end

---@class wingman.bin
---@field bytes string  that are encoded

--- Wraps a string so that it is encoded as MessagePack bin even if it is valid UTF-8.
---@param bytes string
---@return wingman.bin
function M.bin(bytes)
  if type(bytes) ~= "string" then error("bin: a string expected, got " .. type(bytes), 2) end
  return setmetatable({ bytes = bytes }, core.bin_mark)
end

---@class wingman.timestamp
---@field seconds integer  since 1970
---@field nanoseconds integer  0 .. 999999999

--- Whether a decoded value came from a timestamp extension.
---@param value any
---@return boolean
function M.is_timestamp(value) return type(value) == "table" and getmetatable(value) == core.timestamp_mark end

--- Whether a decoded table is a marked array (an empty one always is).
---@param value any
---@return boolean
function M.is_array(value) return type(value) == "table" and getmetatable(value) == core.array_mark end

return M
