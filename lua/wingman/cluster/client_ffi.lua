--- The client's C functions for LuaJIT's FFI; nil in a Lua that has none. Declared once
--- in a Lua state, however often Wingman is unloaded and loaded again: a declaration
--- stays, and a state has room for 65,536.
local has_ffi, ffi = pcall(require, "ffi")
if not (has_ffi and jit) then return false end

if not pcall(ffi.typeof, "wm_client_functions_2") then
  ffi.cdef [[
  typedef struct wm_client_functions_2 wm_client_functions_2;
  typedef struct wm_map wm_map;
  typedef struct wm_client wm_client;
  uint8_t *wm_map_begin_set(wm_map *m, const char *key, size_t key_len, size_t value_size);
  double wm_map_commit_set(wm_map *m, size_t value_len);
  int wm_map_status(const wm_map *m);
  uint32_t wm_mp_put_number(uint8_t *at, double v);
  uint32_t wm_mp_put_str(uint8_t *at, const char *s, size_t len);
  bool wm_utf8_valid(const void *bytes, size_t len);
  int wm_client_node_of_key(const wm_client *c, const char *key, size_t len);
  ]]
end

return ffi.load(require("wingman.core").path)
