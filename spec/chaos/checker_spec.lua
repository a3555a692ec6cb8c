--- The checker over histories made by hand: what is right passes, each way in which a
--- client can lose something is found, and what servers lose is told apart.
local support = require "spec.chaos.support"
local checker = require "chaos.checker"

local function kinds(report)
  local found = {}
  for _, finding in ipairs(report.findings) do found[#found + 1] = finding.kind end
  table.sort(found)
  return table.concat(found, " ")
end

local function check(story, repaired)
  local report = checker.check(story.history, story.state)
  if repaired then checker.check_repaired(story.history, repaired, report) end
  return report
end

for _, dialect in ipairs { "v2", "0.11" } do
  describe("chaos checker, " .. dialect .. ":", function()
    local story

    before_each(function()
      story = support.story(dialect)
      story:client "c1"
      story:client "c2"
    end)

    it("passes what is right, and counts it", function()
      story:written("c1", "a")
      story:written("c1", "a")
      story:written("c1", "b")
      story:written("c1", "b", "remove")
      story:written("c2", "s")
      story:written("c1", "s")
      local report = check(story, story.state)
      assert.equal("", kinds(report))
      assert.same({ ops = 6, acknowledged = 6, reads = 0 }, report.counts)
      assert.same({}, report.lost_by_servers)
    end)

    it("finds a write that is settled by the acknowledgement of another node (ids that are numbers)", function()
      local op = story:write("c1", "a")
      story:arrive(op, "node-2")
      story:ack(op, "node-1")
      assert.truthy(kinds(check(story)):find("never_arrived", 1, true))
      assert.truthy(kinds(check(story)):find("lost", 1, true))
    end)

    it("finds that write also when the node has ended since", function()
      local op = story:write("c1", "a")
      story:arrive(op, "node-2")
      story:ack(op, "node-1")
      story:restart "node-1"
      assert.equal("never_arrived", kinds(check(story)))
    end)

    it("finds it without the nodes' own account, by their state", function()
      local op = story:write("c1", "a")
      story:ack(op, "node-1")
      story.history.arrivals = nil
      assert.equal("lost", kinds(check(story)))
    end)

    it("finds a batch that was dropped with its connection", function()
      story:written("c1", "a")
      story:write("c1", "b")
      story:write("c1", "c")
      assert.equal("vanished vanished", kinds(check(story)))
      story.history.clients.c1.pending = { ["c1-2"] = true, ["c1-3"] = true }
      assert.equal("stuck stuck", kinds(check(story)))
    end)

    it("finds a limit that drops without a word, and takes a report for an answer", function()
      local op = story:write("c1", "a")
      story:written("c1", "a")
      assert.equal("vanished", kinds(check(story)))
      story.history:failed(op, "LOG_FULL", story:tick())
      assert.equal("", kinds(check(story)))
      assert.equal(1, check(story).counts.reported)
    end)

    it("finds counters that do not add up", function()
      story.history.clients.c1.counts = { ops_recorded = 9, ops_loaded = 1, ops_acked = 7, ops_rejected = 1, ops_dropped = 0, pending = 1 }
      assert.equal("counts_differ", kinds(check(story)))
      story.history.clients.c1.counts.ops_dropped = 1
      assert.equal("", kinds(check(story)))
    end)

    it("finds values that nobody wrote, or wrote elsewhere", function()
      local op = story:written("c1", "a")
      story.state.nodes["node-2"].a = { raw = "17", removed = false, time = op.time }
      story.state.nodes["node-2"].b = { op = op.id, removed = false, time = op.time }
      story.state.nodes["node-2"].c = { op = "c9-1", removed = false, time = op.time }
      assert.equal("unknown_value unknown_value unknown_value", kinds(check(story)))
    end)

    it("finds what was refused to the caller and sent all the same", function()
      local op = story:write("c1", "a")
      op.refused, op.recorded = "LOG_FULL", nil
      story:arrive(op, "node-1")
      story:hold(op, "node-1")
      assert.equal("refused_and_sent unknown_value", kinds(check(story)))
    end)

    it("finds an older value where a newer one was acknowledged", function()
      local old = story:written("c1", "a")
      story:written("c1", "a")
      story:hold(old, "node-1")
      assert.equal("lost", kinds(check(story)))
    end)

    it("finds a removal that came back", function()
      local old = story:written("c1", "a")
      story:written("c1", "a", "remove")
      story:hold(old, "node-1")
      assert.equal("lost", kinds(check(story)))
    end)

    it("finds a value that is gone without a removal", function()
      story:written("c1", "a")
      story.state.nodes["node-1"].a = nil
      assert.equal("lost", kinds(check(story)))
      story:write("c1", "a", "remove") -- its acknowledgement is under way
      story.history.clients.c1.pending = { ["c1-2"] = true }
      if dialect == "v2" then assert.equal("stuck", kinds(check(story))) end
    end)

    it("blames the node that ended, and only for what it had then", function()
      story:written("c1", "a")
      story:restart "node-1"
      story:connect("c1", "node-1")
      local report = check(story)
      assert.equal("", kinds(report))
      assert.same({ node_ended = 1 }, report.lost_by_servers)
      story:written("c1", "b")
      story.state.nodes["node-1"].b = nil
      assert.equal("lost", kinds(check(story)))
    end)

    it("does not count as lost by a node what was replaced since", function()
      story:written("c1", "a")
      story:restart "node-1"
      story:connect("c1", "node-1")
      story:written("c1", "a")
      assert.same({}, check(story).lost_by_servers)
      assert.equal("", kinds(check(story)))
    end)

    it("wants each key's last value at its owner after repair", function()
      local first = story:written("c1", "a")
      story:written("c1", "a")
      story:restart "node-1"
      assert.equal("", kinds(check(story)))
      local repaired = { nodes = { ["node-1"] = {}, ["node-2"] = {}, ["node-3"] = {} }, owners = story.state.owners }
      assert.equal("not_repaired", kinds(check(story, repaired)))
      repaired.nodes["node-1"].a = { op = first.id, removed = false, time = "9:9:node-1" }
      assert.equal("not_repaired", kinds(check(story, repaired)))
      repaired.nodes["node-1"].a = { op = "c1-2", removed = false, time = "9:9:node-1" }
      assert.equal("", kinds(check(story, repaired)))
    end)

    it("wants nothing after repair of a key that all may write, though one client alone wrote it", function()
      story:written("c1", "s-1")
      story:restart "node-1"
      local repaired = { nodes = { ["node-1"] = {}, ["node-2"] = {}, ["node-3"] = {} }, owners = story.state.owners }
      assert.equal("", kinds(check(story, repaired)))
    end)

    it("finds writes of a key that change their order on one connection, where the server goes by that", function()
      local first, second = story:write("c1", "a"), story:write("c1", "a")
      story:arrive(second, "node-1")
      story:arrive(first, "node-1")
      story:hold(second, "node-1")
      story:ack(second, "node-1")
      story:ack(first, "node-1")
      assert.equal(dialect == "v2" and "order" or "", kinds(check(story)))
    end)

    it("finds clocks that do not go forward", function()
      story:written("c1", "a")
      local op = story:written("c1", "b")
      story.history.by_time[op.time] = nil
      op.time = "0:0:c1"
      story.history.by_time[op.time] = op
      story.history.arrivals = nil
      story:hold(op, "node-1")
      assert.equal("clock", kinds(check(story)))
    end)

    it("finds a route that no map named, and knows what a map named a moment ago", function()
      story:written("c1", "a", "set", "node-2")
      if dialect == "0.11" then story.state.owners = { a = "node-2" } end
      assert.equal("misrouted", kinds(check(story)))
      local maps = story.history.clients.c1.maps
      maps[1].owners = { "node-2" }
      maps[2] = { at = story:tick(), owners = { "node-1" } }
      assert.equal("", kinds(check(story)))
    end)

    it("finds a client that does not read its own write, and one that reads nonsense", function()
      local old, new = story:written("c1", "a"), story:written("c1", "a")
      local function read(saw, own, wrong)
        story.history.reads = { { client = "c1", key = "a", at = story:tick(), own = own, saw = saw, expected = new.id, wrong = wrong } }
        return kinds(check(story))
      end
      assert.equal("", read(new.id, true))
      assert.equal("stale_read", read(old.id, true))
      assert.equal("stale_read", read(nil, true))
      assert.equal("", read(old.id, false))
      assert.equal("unknown_value", read("c1-77", false))
      assert.equal("unknown_value", read(nil, false, "{ }"))
    end)

    it("finds a future that is settled twice", function()
      local op = story:written("c1", "a")
      story:ack(op, "node-1")
      assert.equal("settled_twice", kinds(check(story)))
    end)

    it("counts copies, which do no harm", function()
      local op = story:written("c1", "a")
      story:arrive(op, "node-1", { session = 7 })
      story:arrive(op, "node-1", { session = 8, refused = true })
      assert.equal("", kinds(check(story)))
      assert.equal(2, check(story).counts.duplicated)
    end)

    it("lets a process that was killed lose only what was not in its file yet", function()
      local client = story.history.clients.c1
      local kept, told = story:write("c1", "a"), story:written("c1", "b")
      kept.kept, told.kept = story:tick(), story:tick()
      story:write("c1", "c")
      story.history:client_started("c1", story:tick())
      client.pending = {}
      assert.equal("vanished", kinds(check(story)))
      story:arrive(kept, "node-1") -- acknowledged, and killed before it could tell
      assert.equal("", kinds(check(story)))
    end)
  end)
end

describe("chaos checker, v2 alone:", function()
  local story

  before_each(function()
    story = support.story "v2"
    story:client "c1"
  end)

  -- What was sent to a node that stood still, and to the same one again over a new
  -- connection: the old copy is applied last, and stamped as if it were new.
  it("tells apart what a node applied late from a lost connection, and stamped as new", function()
    local old = story:write("c1", "a")
    story:connect("c1", "node-1")
    story:arrive(old, "node-1", { session = 1 })
    story:ack(old, "node-1")
    local new = story:written("c1", "a")
    assert.equal("", kinds(check(story)))
    story:arrive(old, "node-1", { session = 2 })
    story:hold(old, "node-1")
    local report = check(story)
    assert.equal("", kinds(report))
    assert.same({ stamped_late = 1 }, report.lost_by_servers)
    assert.is_table(new)
  end)

  it("suspects that of a real node only where the client lost a connection to it", function()
    story.history.arrivals = nil
    local old = story:write("c1", "a")
    local lost_at = story:tick()
    local new = story:written("c1", "a")
    story:ack(old, "node-2")
    story:hold(old, "node-1")
    story:hold(old, "node-2")
    assert.equal("lost misrouted", kinds(check(story)))
    story.history.clients.c1.losses = { { at = lost_at, node = "node-1", reason = "lost" } }
    assert.equal("misrouted", kinds(check(story)))
    assert.same({ stamped_late = 1 }, check(story).lost_by_servers)
    assert.is_table(new)
  end)

  it("finds what is sent twice over one connection", function()
    local op = story:written("c1", "a")
    story:arrive(op, "node-1")
    assert.equal("sent_twice", kinds(check(story)))
  end)
end)

describe("chaos checker, 0.11 alone:", function()
  local story

  before_each(function()
    story = support.story "0.11"
    story:client "c1"
    story:client "c2"
  end)

  it("blames the node that acknowledges and drops what it does not own", function()
    local op = story:write("c1", "a")
    story:arrive(op, "node-1", { foreign = true })
    story:ack(op, "node-1")
    local report = check(story)
    assert.equal("", kinds(report))
    assert.same({ not_the_owner = 1 }, report.lost_by_servers)
  end)

  it("goes by the clients' clocks, whoever was acknowledged first", function()
    local older, newer = story:write("c1", "s"), story:write("c2", "s")
    for _, op in ipairs { newer, older } do
      story:arrive(op, "node-1")
      story:ack(op, "node-1")
    end
    story:hold(newer, "node-1")
    assert.equal("", kinds(check(story)))
    story:hold(older, "node-1")
    assert.equal("lost", kinds(check(story)))
  end)

  it("wants records with the time they were written at", function()
    local op = story:written("c1", "a")
    story.state.nodes["node-1"].a.time = "99:0:c1"
    assert.equal("time", kinds(check(story)))
    assert.is_table(op)
  end)
end)
