# What `cmake --install` and `cpack` put where; included by CMakeLists.txt.
#
# Every LuaJIT looks for Lua files in share/lua/5.1 of /usr and of /usr/local. For modules
# written in C it looks in lib/lua/5.1 of /usr/local, but below /usr Debian's looks in
# lib/TRIPLET/lua/5.1 alone: the Debian package has the module there.
option(WINGMAN_ROCK "Install as the rockspec wants it: LuaRocks moves lua/, lib/ and bin/ to their places" OFF)
set(lua_files share/lua/5.1)
set(pages share/doc/wingman)

# Where bin/wingman looks (core/host/lua_state.c), seen from its folder.
target_compile_definitions(wingman PRIVATE
  WINGMAN_LUA_FILES="/../${lua_files}" WINGMAN_MODULES="/../lib/lua/5.1"
  WINGMAN_DEBIAN_MODULES="/../lib/${CMAKE_LIBRARY_ARCHITECTURE}/lua/5.1")

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME wingman)
install(TARGETS wingman RUNTIME DESTINATION bin)
install(DIRECTORY lua/wingman DESTINATION $<IF:$<BOOL:${WINGMAN_ROCK}>,lua,${lua_files}> FILES_MATCHING PATTERN "*.lua")
install(FILES README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE DESTINATION ${pages})
install(DIRECTORY docs DESTINATION ${pages} FILES_MATCHING PATTERN "*.md")
# Examples; in the folders that the pages and their links name.
install(DIRECTORY scripts/load scripts/plugins DESTINATION ${pages}/scripts USE_SOURCE_PERMISSIONS)
install(FILES scripts/package/completion.bash DESTINATION share/bash-completion/completions RENAME wingman)
# The page holds the texts of --help, so the executable is asked for them now.
install(CODE "execute_process(COMMAND_ERROR_IS_FATAL ANY
  COMMAND \"$<TARGET_FILE:wingman>\" run \"${CMAKE_SOURCE_DIR}/scripts/package/man_page.lua\"
    \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/man/man1\")")

# core.so, and beside the folder of the libraries what tells pkg-config of it.
function(install_module component libraries)
  set(modules ${libraries}/lua/5.1)
  file(RELATIVE_PATH prefix /${libraries}/pkgconfig /)
  configure_file(scripts/package/wingman.pc.in ${component}/wingman.pc @ONLY)
  install(TARGETS wingman_lua LIBRARY DESTINATION ${modules}/wingman COMPONENT ${component} ${ARGN})
  install(FILES ${CMAKE_BINARY_DIR}/${component}/wingman.pc DESTINATION ${libraries}/pkgconfig COMPONENT ${component} ${ARGN})
endfunction()
if(WINGMAN_ROCK)
  install(TARGETS wingman_lua LIBRARY DESTINATION lib/wingman)
else()
  install_module(module lib)
  install_module(debian lib/${CMAKE_LIBRARY_ARCHITECTURE} EXCLUDE_FROM_ALL)
endif()
install(FILES LICENSE DESTINATION ${pages} RENAME copyright COMPONENT debian EXCLUDE_FROM_ALL)

# `cpack` in the build's folder makes wingman_VERSION_ARCHITECTURE.deb, for Debian 12.
set(CPACK_GENERATOR DEB)
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};wingman;wingman;/" "${CMAKE_BINARY_DIR};wingman;debian;/")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_VENDOR "The Wingman authors")
set(CPACK_PACKAGE_CONTACT "The Wingman authors <root@localhost>") # whoever distributes the package sets theirs
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Lua-scriptable client host for TopGun clusters
Wingman connects to the nodes of a TopGun cluster, an offline-first data
grid, and routes each operation to the node that owns its key. It runs
scripted load tests, shows a prompt, and is a Lua module for hosts that
embed LuaJIT. A simulated cluster comes with it.")
# By hand. What dpkg-shlibdeps writes accepts libluajit-5.1-2 as well, and Debian 12's runs
# `pairs` loops wrongly (core/binding/values/luajit_loops.h): the module refuses to load
# with it. libluajit2-5.1-2 conflicts with that package, so a `luajit` beside it is right,
# too. lua-cjson is required by Lua files, which no tool of Debian's looks into.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6 (>= 2.34), libedit2 (>= 3.1-20140620-0), libluajit2-5.1-2 (>= 2.1-20230119), \
libssl3 (>= 3.0.0), libuv1 (>= 1.33.1), libxxhash0 (>= 0.7.0), lua-cjson (>= 2.1.0)")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "luajit2, bash-completion")
include(CPack)
