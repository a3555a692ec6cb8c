rockspec_format = "3.0"
package = "wingman"
version = "dev-1" -- the version is in CMakeLists.txt
source = { url = "." } -- `luarocks make`, in a clone
description = {
  summary = "Lua-scriptable client host for TopGun clusters",
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = { "lua == 5.1", "lua-cjson >= 2.1.0" }
build = {
  type = "cmake",
  variables = { CMAKE_INSTALL_PREFIX = "$(PREFIX)", WINGMAN_ROCK = "ON" },
}
