--- The token and the TLS of the command line reach every client that needs them, and no
--- cluster that Wingman starts itself.
local arguments = require "wingman.options.arguments"
local connection_options = require "wingman.client.options.connection"
local process = require "wingman.loop.process"
local sim = require "wingman.sim"

-- What a command does with its arguments.
local function take(words)
  local options, wrong = arguments.read(connection_options.RULES, words)
  if not options then return nil, wrong end
  connection_options.choose(options)
  return options
end

-- A file with this text, removed when the spec ends.
local function file_with(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  finally(function() os.remove(path) end)
  return path
end

describe("connection options", function()
  local before
  before_each(function()
    before = connection_options.chosen()
    connection_options.adopt(nil)
  end)
  after_each(function() connection_options.adopt(before) end)

  it("are taken from the arguments, in both forms, and later ones stand beside earlier ones", function()
    local path = file_with "  a-token \nsecond line\n"
    local ca = file_with "an authority"
    assert(take { "--token-file", path, "--insecure-skip-verify" })
    assert(take { "--ca-file=" .. ca })
    assert.same({ token = "a-token", tls = { ca_file = ca, insecure_skip_verify = true } }, connection_options.chosen())
  end)

  it("take a proxy and a certificate of the client's own", function()
    local cert, key = file_with "a certificate", file_with "a key"
    assert(take { "--proxy", "http://p:3128", "--cert-file=" .. cert, "--key-file", key })
    assert.same({ server = "ws://x:1", proxy = "http://p:3128", tls = { cert_file = cert, key_file = key } },
      connection_options.complete { server = "ws://x:1" })
    assert.equal("none", connection_options.complete({ server = "ws://x:1", proxy = "none" }).proxy)
  end)

  it("say what is wrong with them, and never the token", function()
    for _, case in ipairs {
      { { "--token-file" }, "--token-file needs a value" }, { { "--ca-file=" }, "--ca-file needs a value" },
      { { "--proxy", "http://user:secret@/tmp" }, "--proxy: none or http://host:port is expected, got " },
      { { "--insecure-skip-verify=no" }, "--insecure-skip-verify takes no value, got 'no'" },
      { { "--token-file", "/no/such/file" }, "/no/such/file" }, { { "--token-file", "/" }, "Is a directory" },
      { { "--token-file", file_with "\nsecret\n" }, "no first line" },
      { { "--ca-file", "/no/such/file" }, "--ca-file: /no/such/file: No such file" }, { { "--ca-file=/" }, "--ca-file: /: Is a directory" },
      { { "--cert-file", "/no/such/file" }, "--cert-file: /no/such/file" }, { { "--key-file=/no/such/file" }, "--key-file: /no/such/file" },
    } do
      local options, wrong = take(case[1])
      assert.is_nil(options)
      assert.truthy(wrong:find(case[2], 1, true), wrong)
      assert.is_nil(wrong:find("secret", 1, true))
    end
  end)

  it("complete what a client's options leave out, and nothing else", function()
    connection_options.adopt { token = "t", tls = { ca_file = "/ca.pem" } }
    local complete = connection_options.complete
    assert.same({ server = "ws://x:1", auth = { token = "t" }, tls = { ca_file = "/ca.pem" } }, complete { server = "ws://x:1" })
    local own = { cluster = { seeds = { "ws://x:1" } }, auth = { token = "own" }, tls = { insecure_skip_verify = false } }
    assert.same({ cluster = own.cluster, auth = { token = "own" }, tls = { insecure_skip_verify = false, ca_file = "/ca.pem" } }, complete(own))
    assert.same({ insecure_skip_verify = false }, own.tls, "the script's table was changed")
    assert.equal("no table", complete({ server = "ws://x:1", auth = "no table" }).auth)
  end)

  it("leave embedded clusters alone, and everything while nothing was taken", function()
    local given = { server = "ws://x:1" }
    assert.equal(given, connection_options.complete(given))
    connection_options.adopt { token = "t", tls = { ca_file = "/ca.pem" } }
    for _, url in ipairs { "sim://3", "topgun://3", "sim://1?dialect=0.11" } do
      given = { cluster = url }
      assert.equal(given, connection_options.complete(given), url)
    end
  end)
end)

for _, dialect in ipairs { "v2", "0.11" } do
  describe("the commands, at a " .. dialect .. " server that wants a token,", function()
    local cluster

    setup(function() cluster = assert(sim.start { nodes = 2, dialect = dialect }) end)
    teardown(function() cluster:stop() end)

    -- Runs the executable to its end: exit code, everything it said.
    local function wingman(args, options)
      options = options or {}
      local child = assert(process.spawn {
        file = process.wingman_path(), args = args, stdin = true, stderr = true, env = { WINGMAN_TOKEN = options.token or "", WINGMAN_CLUSTER = table.concat(cluster.urls, ",") },
      })
      -- A command that refuses its flags may have ended before it reads this.
      if options.input then child:write(options.input) end
      child:close_stdin()
      local said = child:read_all(30) .. child:read_all(30, "stderr")
      local code, signal = child:wait(30)
      child:close()
      return signal or code, said
    end

    local LOAD_TEST = [[
      local load = require "wingman.load"
      return load.test { cluster = os.getenv "WINGMAN_CLUSTER", connections = "per-vu", scenarios = { s = { executor = "per-vu-iterations", vus = 2,
        iterations = 1, exec = function(vu) assert(vu:connect()) assert(vu:wait(vu:map "m":set("k", 1))) end } } }]]
    local SCRIPT = [[
      local wingman = require "wingman"
      return wingman.run(function()
        local client = wingman.client { cluster = arg[1] }
        assert(client:start())
        assert(client:map "m":set("k", 1))
        assert(client:drain(60))
        print "all acknowledged"
      end)]]

    -- Runs every command with the arguments `extra` and hands over how it ended.
    local function each_command(extra, token, check)
      local url = table.concat(cluster.urls, ",")
      for _, command in ipairs {
        { "run", "-", url, input = SCRIPT }, { "run", "-", url, input = LOAD_TEST },
        { "run", "--workers", "2", "-", url, input = LOAD_TEST }, { "probe", unpack(cluster.urls) },
        { "bench", url, "--vus", "1", "--duration", "100ms" }, { "repl", "-e", "client:is_routing_active()", url },
      } do
        for i, word in ipairs(extra) do table.insert(command, 1 + i, word) end
        local code, said = wingman(command, { input = command.input, token = token })
        check(code, ("wingman %s ended with %s: %s"):format(table.concat(command, " "), code, said))
      end
    end

    it("take it from --token-file", function()
      local path = file_with(cluster.token .. "\n")
      each_command({ "--token-file", path }, nil, function(code, reported) assert.equal(0, code, reported) end)
    end)

    it("take it from WINGMAN_TOKEN", function()
      each_command({}, cluster.token, function(code, reported) assert.equal(0, code, reported) end)
    end)

    it("say AUTH_FAILED without one, with the option, the flag and the variable", function()
      each_command({}, nil, function(code, reported)
        assert.is_true(code == 1 or code == 3, reported)
        for _, word in ipairs { "AUTH_FAILED", "auth.token", "--token-file", "WINGMAN_TOKEN" } do
          assert.truthy(reported:find(word, 1, true), reported)
        end
        assert.is_nil(reported:find("token_source.lua", 1, true), reported)
      end)
    end)

    it("end with 2 when a file of TLS cannot be read", function()
      for _, flag in ipairs { "--ca-file", "--cert-file", "--key-file" } do
        each_command({ flag, "/no/such/file" }, cluster.token, function(code, reported)
          assert.equal(2, code, reported)
          assert.truthy(reported:find(flag .. ": /no/such/file: No such file", 1, true), reported)
        end)
      end
    end)

    it("show no foreign token to sim://", function()
      local url = "sim://1?dialect=" .. dialect
      for _, args in ipairs { { "probe", url }, { "repl", "-e", "1", url }, { "run", "-", url } } do
        local code, said = wingman(args, { input = SCRIPT, token = "not.this.cluster's" })
        assert.equal(0, code, table.concat(args, " ") .. ": " .. said)
      end
    end)
  end)
end
