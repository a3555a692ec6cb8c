--- scripts/test.sh in a folder of its own, where `wingman` is a shell script and what it is
--- to do stands in the spec file.
local files = require "spec.support.files"
local process = require "wingman.loop.process"

local SUCCESS = "echo '2 successes / 0 failures / 0 errors / 0 pending : 0.1 seconds'\n"
local WINGMAN = '#!/bin/sh\n[ "$1" = version ] || . "./$3"\n'
local SETUP = "say() { echo \"$*\" >&2; }\nsetup() { :; }\nsetup_server() { :; }\nsetup_luajit() { :; }\nsetup_prometheus() { :; }\nbuild() { %s; }\n"
local CHECKER = "#!/bin/sh\necho 'Total: 0 warnings / 0 errors in 3 files'\necho 'Formatting [1/1] a.c'\n"
local FUZZER = "#!/bin/sh\necho stat::number_of_executed_units: 7\n"

local folder

local function sh(...) assert.equal(0, os.execute((...):format(select(2, ...)))) end

-- What is printed, and the exit code.
local function run(specs, options)
  options = options or {}
  files.write(folder .. "/scripts/setup.sh", SETUP:format(options.build or ":"))
  files.write(folder .. "/scripts/test/longest", options.longest or "")
  files.write(folder .. "/scripts/test/plain_only", options.plain_only or "")
  files.write(folder .. "/scripts/test/not_quick", options.not_quick or "")
  for name, text in pairs(specs) do files.write(folder .. "/spec/" .. name .. "_spec.lua", text) end
  files.write(folder .. "/build/fuzz/fuzz/a_fuzz", options.fuzzer or FUZZER)
  sh("chmod +x '%s'/build/fuzz/fuzz/a_fuzz", folder)
  local child = assert(process.spawn {
    file = "/bin/sh", args = { "-c", 'exec scripts/test.sh "$@" 2>&1', "sh", unpack(options.args or { "--quick" }) }, cwd = folder,
    env = { WINGMAN_TEST_JOBS = options.jobs or "2", PATH = folder .. "/bin:" .. os.getenv "PATH" },
  })
  local text = child:read_all(120)
  local code = child:wait(120)
  child:close()
  return text, code, text:match "(%d+ passed, %d+ failed, %d+ skipped)\n$"
end

describe("scripts/test.sh", function()
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    sh("mkdir -p '%s' && cd '%s' && mkdir -p bin spec build/sanitized build/threads build/fuzz/fuzz core/fuzz && touch core/fuzz/a_fuzz.c", folder, folder)
    sh("cp -r scripts '%s'/", folder)
    files.write(folder .. "/scripts/test/turn.sh", "") -- these jobs take no time
    for _, tree in ipairs { "", "sanitized/", "threads/" } do files.write(folder .. "/build/" .. tree .. "wingman", WINGMAN) end
    for _, name in ipairs { "luacheck", "clang-format-14" } do files.write(folder .. "/bin/" .. name, CHECKER) end
    sh("cd '%s' && chmod +x build/wingman build/*/wingman bin/*", folder)
  end)
  after_each(function() sh("rm -r '%s'", folder) end)

  it("adds up what the spec files report", function()
    local text, code, sums = run { a = SUCCESS, b = "echo '3 successes / 0 failures / 0 errors / 1 pending : 0.1 seconds'\n" }
    assert.equal("5 passed, 0 failed, 1 skipped", sums, text)
    assert.equal(0, code)
  end)

  it("shows the whole log of a file that fails", function()
    local text, code, sums = run { a = "echo ONE\necho '1 success / 1 failure / 1 error / 0 pending : 0.1 seconds'\necho LAST\nexit 1\n", b = SUCCESS }
    assert.equal("3 passed, 2 failed, 0 skipped", sums, text)
    assert.equal(1, code)
    for _, line in ipairs { "ONE", "LAST" } do assert.is_truthy(text:find("spec plain spec/a_spec.lua: " .. line, 1, true), text) end
    assert.is_nil(text:find("spec plain spec/b_spec.lua: ", 1, true), text)
  end)

  it("counts as failed what ends early, what is killed, and what ends badly after its specs", function()
    local text, code, sums = run { early = "echo EARLY\nexit 0\n", killed = "echo BEFORE\nkill -9 $$\n", late = SUCCESS .. "exit 3\n" }
    assert.equal("2 passed, 3 failed, 0 skipped", sums, text)
    assert.equal(1, code)
    for _, line in ipairs {
      "early_spec.lua: EARLY", "early_spec.lua: the run ended early, with exit code 0", "killed_spec.lua: BEFORE",
      "killed_spec.lua: the run ended early, with exit code 137", "late_spec.lua: the process ended with exit code 3",
    } do assert.is_truthy(text:find(line, 1, true), text) end
  end)

  it("counts as failed a file in which no test ran, and not one whose tests are all skipped", function()
    local text, code, sums = run {
      none = "echo '0 successes / 0 failures / 0 errors / 0 pending : 0.1 seconds'\n",
      skipped = "echo '0 successes / 0 failures / 0 errors / 2 pending : 0.1 seconds'\n",
    }
    assert.equal("0 passed, 1 failed, 2 skipped", sums, text)
    assert.equal(1, code)
    assert.is_truthy(text:find("spec plain spec/none_spec.lua: no test ran in this file, and none was skipped", 1, true), text)
  end)

  -- The spec's parent is `timeout`, and that one's is the job.
  it("counts as failed a job that is killed as a whole, and goes on with the others", function()
    local job = "echo GONE\nkill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat)\n"
    local text, code, sums = run({ a = job, b = SUCCESS, c = SUCCESS }, { jobs = "1" })
    assert.equal("4 passed, 1 failed, 0 skipped", sums, text)
    assert.equal(1, code)
    assert.is_truthy(text:find("spec plain spec/a_spec.lua: ended without a result", 1, true), text)
    assert.is_truthy(text:find("GONE", 1, true), text)
  end)

  it("starts with the files of its list", function()
    local text = run({ a = SUCCESS, b = SUCCESS, z = SUCCESS }, { jobs = "1", longest = "spec/z_spec.lua\nspec/b_spec.lua\n" })
    local order = {}
    for name in text:gmatch "spec plain spec/(%w)_spec" do order[#order + 1] = name end
    assert.equal("zba", table.concat(order), text)
  end)

  it("counts as failed a file of its list that is not there", function()
    local text, code, sums = run({ a = SUCCESS }, { longest = "spec/gone_spec.lua\n" })
    assert.equal("2 passed, 1 failed, 0 skipped", sums, text)
    assert.equal(1, code)
    assert.is_truthy(text:find("scripts/test/longest names spec/gone_spec.lua, which is not there", 1, true), text)
  end)

  it("runs the specs plain and with the sanitizers, what has threads, the checkers, and the fuzzers", function()
    sh("mkdir -p '%s'/spec/load && printf '%%s' \"%s\" >'%s'/spec/load/workers_spec.lua", folder, SUCCESS, folder)
    local text, _, sums = run({ a = SUCCESS }, { args = {} })
    -- Two files in two trees, one of them in the third, two checkers, and the fuzzer. What valgrind is to run is not here.
    assert.equal("13 passed, 1 failed, 0 skipped", sums, text)
    for _, job in ipairs { "spec plain spec/a_spec.lua", "spec sanitized spec/a_spec.lua", "spec threads spec/load/workers_spec.lua", "fuzz a_fuzz" } do
      assert.is_truthy(text:find("passed  " .. job, 1, true), text)
    end
    assert.is_truthy(text:find("memcheck: ", 1, true), text)
  end)

  it("runs the files of its other list without the sanitizers, unless they are named", function()
    local specs = { a = SUCCESS, b = SUCCESS }
    local text, _, sums = run(specs, { args = {}, plain_only = "spec/a_spec.lua\n" })
    assert.is_truthy(text:find("passed  spec sanitized spec/b_spec.lua", 1, true), text)
    assert.is_nil(text:find("spec sanitized spec/a_spec.lua", 1, true), text)
    assert.equal("9 passed", sums:match "^%d+ passed", text) -- three specs, two checkers, and the fuzzer
    text = run(specs, { args = { "spec/a_spec.lua" }, plain_only = "spec/a_spec.lua\n" })
    assert.is_truthy(text:find("passed  spec sanitized spec/a_spec.lua", 1, true), text)
    text, _, sums = run(specs, { plain_only = "spec/gone_spec.lua\n" })
    assert.equal("4 passed, 1 failed, 0 skipped", sums, text)
    assert.is_truthy(text:find("scripts/test/plain_only names spec/gone_spec.lua, which is not there", 1, true), text)
  end)

  it("leaves the files of a third list out of a quick run, unless they are named", function()
    local specs = { a = SUCCESS, b = SUCCESS }
    local _, _, sums = run(specs, { not_quick = "spec/a_spec.lua\n" })
    assert.equal("2 passed, 0 failed, 0 skipped", sums)
    _, _, sums = run(specs, { args = { "--quick", "spec/a_spec.lua" }, not_quick = "spec/a_spec.lua\n" })
    assert.equal("2 passed, 0 failed, 0 skipped", sums)
    local text
    text, _, sums = run(specs, { args = {}, not_quick = "spec/a_spec.lua\n" })
    assert.equal("11 passed", sums:match "^%d+ passed", text) -- two specs in two trees, two checkers, and the fuzzer
    _, _, sums = run(specs, { not_quick = "spec/gone_spec.lua\n" })
    assert.equal("4 passed, 1 failed, 0 skipped", sums)
  end)

  it("counts as failed a tree that cannot be built, and a fuzzer that finds something", function()
    local text, code, sums = run({ a = SUCCESS }, { args = { "spec" }, build = "false" })
    assert.equal("2 passed, 1 failed, 0 skipped", sums, text)
    assert.equal(1, code)
    assert.is_truthy(text:find("build build/sanitized: ended without a result", 1, true), text)
    text, code, sums = run({ a = SUCCESS }, { args = {}, fuzzer = "#!/bin/sh\necho FOUND\nexit 77\n" })
    assert.equal("6", sums:match "^%d+", text)
    assert.equal(1, code)
    assert.is_truthy(text:find("FOUND", 1, true), text)
  end)

  it("counts as failed that there is no spec", function()
    local text, code = run({}, { args = { "--quick", "spec" } })
    assert.equal(1, code, text)
  end)

  it("refuses a spec file that is not there, though others are", function()
    local text, code = run({ a = SUCCESS }, { args = { "--quick", "spec/a_spec.lua", "spec/gone_spec.lua" } })
    assert.equal(2, code, text)
    assert.is_truthy(text:find("there is no 'spec/gone_spec.lua'", 1, true), text)
  end)

  it("refuses an option that it does not know", function()
    local text, code = run({}, { args = { "--quik" } })
    assert.equal(2, code)
    assert.is_truthy(text:find("'--quik' is no option", 1, true), text)
  end)
end)
