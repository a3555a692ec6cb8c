local chromium = require "spec.report.chromium"
local core = require "wingman.core"
local fixture = require "spec.report.fixture"
local png = require "spec.report.png"
local report = require "wingman.report"

local function count(text, pattern)
  local _, n = text:gsub(pattern, "")
  return n
end

describe("report page", function()
  local passed = fixture.document { rate = 500 }
  local failed = fixture.document { rate = 500, slow = 150, late = true }

  it("needs no network and has no script", function()
    for _, document in ipairs { passed, failed } do
      local text = report.render(document, "html")
      for _, what in ipairs { "https?:", "src=", "href=", "url%(", "@import", "<script", "<link", "<img", "<iframe", " on%w+=" } do
        assert.is_nil(text:find(what), what)
      end
      assert.truthy(text:find("default-src 'none'", 1, true))
    end
  end)

  it("lets no name become markup", function()
    local text = report.render(fixture.hostile_document(), "html")
    for tag in text:gmatch "<(/?%a[%w]*)" do
      assert.truthy((" html head meta title style body main header section h1 h2 b p dl div dt dd figure svg path line rect text "
        .. "circle table thead tbody tr th td details summary footer "):find(" " .. tag:gsub("^/", "") .. " ", 1, true), tag)
    end
    assert.equal(1, count(text, "</style>"))
    assert.is_nil(text:find " onerror=alert%(1%)>")
    assert.is_nil(text:find "[%z\1-\9\11-\31\127]")
    assert.truthy(text:find("&lt;script&gt;alert(1)&lt;/script&gt;1", 1, true))
    assert.equal(text, require "wingman.text.utf8".clean(text))
  end)

  it("has an element for each thing", function()
    local text = report.render(failed, "html")
    for _, id in ipairs { "thresholds", "latency", "time", "failover", "nodes", "partitions", "scenarios", "checks", "errors",
      "details" } do
      assert.equal(1, count(text, ('<section id="%s">'):format(id)), id)
    end
    for p = 0, 270 do assert.is_true(count(text, ("<title>partition %d:"):format(p)) >= 2, p) end
    assert.equal(2, count(text, '<td class="bad">FAILED</td>'))
    assert.matches("<b>FAILED</b> op_latency{scenario:writes} p%(99%)&lt;50ms was 254 ms, and 1 more", text)
    assert.matches('<b>LIMIT</b> the generator was the limit', text)
    assert.truthy(text:find(">first acknowledgement 74.1 ms<", 1, true))
    assert.equal(2, count(text, '<line class="fault"'))
  end)

  it("says in every drawing of percentiles that the generator was late", function()
    for document, n in pairs { [passed] = 0, [failed] = 1 } do
      assert.equal(n, count(report.render(document, "html"), ">generator late<"))
      assert.equal(n, count(report.render(document, "svg"), ">generator late<"))
      assert.equal(n, count(report.compare_svg { { name = "a", document = document } }, ">generator late<"))
    end
  end)

  it("draws several runs beside each other", function()
    local text = report.compare_svg {
      { name = "open <model>", document = passed }, { name = "late", document = failed, metric = "lateness" },
    }
    assert.equal(2, count(text, '<path class="'))
    assert.truthy(text:find(">open &lt;model&gt;, ", 1, true))
    assert.same({ nil, "there is no latency in these reports" }, { report.compare_svg {} })
  end)

  it("leaves out what there is nothing to say about", function()
    local bare = fixture.document { rate = 50, seconds = 2, kill = false }
    bare.metrics, bare.thresholds, bare.checks, bare.partitions, bare.scenarios = {}, {}, {}, nil, {}
    bare.series.points, bare.environment.nodes = {}, {}
    local text = report.render(bare, "html")
    assert.equal(1, count(text, "<section"))
    assert.is_nil(text:find "nan" or text:find "inf[^o]")
  end)

  it("draws nothing beyond the end of the run, nor a rate of what is left over there", function()
    local one = fixture.document { rate = 50, seconds = 10, kill = false }
    one.duration_s = 10.01
    one.series.points[11] = { t_s = 10, counters = { ops_acked = 40 }, gauges = { in_flight = 9999 }, lateness_max_s = 9 }
    local drawing = report.render(one, "html"):match '<section id="time">.-</svg>'
    for d in drawing:gmatch ' d="([^"]+)"' do
      for x, y in d:gmatch "[ML](%S+) ([%d.-]+)" do
        assert.is_true(tonumber(x) >= 62 and tonumber(x) <= 840, d)
        assert.is_true(tonumber(y) >= 0, d)
      end
    end
    assert.is_nil(drawing:find ">10,000<" or drawing:find ">10 s</text><text[^>]*>9")
    assert.truthy(drawing:find(">60<", 1, true)) -- 50 a second, not 4,000
  end)

  it("draws no place that is no number", function()
    local odd = fixture.document { rate = 50, seconds = 3, kill = 1 }
    odd.duration_s, odd.thresholds[1].value, odd.thresholds[2].value = 0, 1 / 0, 0 / 0
    odd.failovers[1].first_ack_s, odd.failovers[1].drained_s = nil, nil
    odd.series.points[2].gauges.in_flight = 1 / 0
    for p = 1, 271 do odd.partitions.routed[p], odd.partitions.ops[p] = -1, 0 end
    local text = report.render(odd, "html")
    assert.is_nil(text:find '="%-?nan' or text:find '="%-?inf' or text:find "[ML ]%-?nan" or text:find "[ML ]%-?inf")
    assert.truthy(text:find("never acknowledged again", 1, true))
  end)
end)

describe("report page in a browser", function()
  local directory
  local browser = chromium.path()
  local passed = fixture.document { rate = 500 }

  setup(function()
    directory = os.tmpname()
    os.remove(directory)
    os.execute("mkdir " .. directory)
  end)
  teardown(function() os.execute("rm -rf " .. directory) end)

  local function check(name, fn)
    if browser then return it(name, fn) end
    pending(name .. " (chromium is not installed)")
  end

  local function load(document, form, options)
    local path = directory .. "/page." .. form
    assert(report.write(document, form .. "=" .. path))
    return chromium.load(path, options)
  end

  local function screenshot(document, form, options)
    options.screenshot = directory .. "/page.png"
    load(document, form, options)
    return png.read(options.screenshot)
  end

  check("loads without a request, and without a word on the console", function()
    for _, document in ipairs { passed, fixture.hostile_document() } do
      local page = load(document, "html", {})
      assert.same({}, page.requests)
      assert.same({}, page.console)
      assert.equal(count(report.render(document, "html"), "<rect"), count(page.dom, "<rect"))
      assert.equal(10, count(page.dom, "<section"))
      assert.equal(0, count(page.dom, "<script"))
    end
  end)

  check("would be seen to ask and to complain", function()
    local path = directory .. "/bad.html"
    core.replace_file(path, '<img src="http://127.0.0.1:9/x.png"><script>console.error("boom")</script>')
    local page = chromium.load(path, {})
    assert.same({ "http://127.0.0.1:9/x.png" }, page.requests)
    assert.equal(1, #page.console)
  end)

  local themes = {
    { name = "light", paper = "#fcfcfa", nodes = { "#2866ac", "#d9822b", "#27907f" }, slowest = "#0b3a6b", good = "#1f7a4d" },
    { name = "dark", paper = "#14171b", nodes = { "#74aef0", "#f0a65c", "#5cc7b5" }, slowest = "#c6e2ff", good = "#5bc08c" },
  }
  for i, theme in ipairs(themes) do
    check("shows the maps, the bars and the verdict, " .. theme.name, function()
      local options = { dark = theme.name == "dark" }
      local picture = screenshot(passed, "html", options)
      assert.equal(theme.paper, picture.pixel(2, 2))
      assert.is_true(picture.count(theme.good) > 4000, "the verdict's line")
      -- A third of 271 cells each, of 21 pixels square at least but for their edges.
      for n, colour in ipairs(theme.nodes) do
        assert.is_true(picture.count(colour) > 80 * 300, ("node %d: %d pixels"):format(n, picture.count(colour)))
      end
      assert.is_true(picture.count(theme.slowest) > 100, "the slowest partitions")
      assert.equal(0, picture.count(themes[3 - i].paper), "the other theme")

      local empty = fixture.document { rate = 50, seconds = 2, kill = false }
      empty.partitions, empty.metrics = nil, {}
      assert.is_true(screenshot(empty, "html", options).count(theme.nodes[2]) < 80 * 300)
    end)
  end

  check("draws the percentiles as a line that rises from left to right", function()
    local picture = screenshot(passed, "svg", { width = 952, height = 340 })
    -- The line's blue, its edges included, which the other lines' colours are not.
    local function is_blue(colour)
      local r, b = tonumber(colour:sub(2, 3), 16), tonumber(colour:sub(6, 7), 16)
      return r < 110 and b > 140 and b - r > 70
    end
    local before = 340
    for x = 70, 790, 8 do
      local top
      for y = 22, 299 do
        if not top and is_blue(picture.pixel(x, y)) then top = y end
      end
      assert.truthy(top, ("nothing is drawn at %d"):format(x))
      assert.is_true(top <= before + 1, ("it falls at %d: %d after %d"):format(x, top, before))
      before = top
    end
    assert.is_true(before < 120)
  end)
end)
