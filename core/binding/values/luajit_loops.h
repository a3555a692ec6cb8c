#ifndef WM_LUAJIT_LOOPS_H
#define WM_LUAJIT_LOOPS_H

/* A Lua chunk that raises an error in a LuaJIT that miscompiles `pairs` loops. It takes 3 ms.
 *
 * The bug is in snapshots of LuaJIT 2.1 from September 2021 to April 2022; Debian 12's package
 * luajit is one of them. Once the JIT compiler has blacklisted a loop, later `pairs` loops end
 * early without an error (LuaJIT issue 827), or the process crashes (issue 829). The chunk
 * has the compiler blacklist a loop (this takes some 41,000 iterations), and counts whether a
 * `pairs` loop still visits both entries of a table. */
static const char wm_luajit_loops[] =
    "if not jit or not jit.status() then return end\n"
    "local inner, outer = { 1 }, { a = 0, b = 0 }\n"
    "for name in next, outer do outer[name] = inner end\n"
    "local function leave(...) for _ = 1, 5 do end end\n"
    "for _ = 1, 50000 do\n"
    "  leave()\n"
    "  local seen = 0\n"
    "  for _, t in pairs(outer) do\n"
    "    for _ in pairs(t) do end\n"
    "    seen = seen + 1\n"
    "  end\n"
    "  if seen ~= 2 then\n"
    "    error('this LuaJIT ends pairs loops early (its issues 827 and 829, mended in April 2022): Wingman needs a '\n"
    "      .. 'newer one; on Debian 12 the packages luajit2 and libluajit2-5.1-2 in place of luajit and libluajit-5.1-2', 0)\n"
    "  end\n"
    "end\n";
#endif
