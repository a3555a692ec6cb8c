--- Colours and type of the page and its drawings, light and dark by what the reader's
--- system prefers. Nothing is fetched: fonts are the system's.
local M = {}

local light = [[
--paper:#fcfcfa;--ink:#1c2127;--dim:#667080;--line:#e2e2dc;--soft:#f1f1ec;--good:#1f7a4d;--bad:#c0332b;--warn:#92610a;
--blue:#2866ac;--light-blue:#7ea6d3;--fault:#c0332b;
--n1:#2866ac;--n2:#d9822b;--n3:#27907f;--n4:#9a4fb0;--n5:#b53a5d;--n6:#76802c;--n7:#4d5fd1;--n8:#8a6542;
--h0:#dfe9f5;--h1:#bfd5ec;--h2:#98bce0;--h3:#6d9fd0;--h4:#437fba;--h5:#225d99;--h6:#0b3a6b]]

local dark = [[
--paper:#14171b;--ink:#e5e6e3;--dim:#98a1ad;--line:#2b3138;--soft:#1d2126;--good:#5bc08c;--bad:#ff7d72;--warn:#e3b058;
--blue:#74aef0;--light-blue:#3f6a9c;--fault:#ff7d72;
--n1:#74aef0;--n2:#f0a65c;--n3:#5cc7b5;--n4:#cb8fdd;--n5:#ec86a4;--n6:#b5bf66;--n7:#98a4f7;--n8:#c5a27f;
--h0:#1c2e42;--h1:#234262;--h2:#2d5a86;--h3:#3d78ae;--h4:#5b9ad3;--h5:#8bbeec;--h6:#c6e2ff]]

local node_rules = {}
for i = 1, 8 do node_rules[i] = (".n%d{fill:var(--n%d)}"):format(i, i) end
for i = 0, 6 do node_rules[#node_rules + 1] = (".h%d{fill:var(--h%d)}"):format(i, i) end

--- Rules of the drawings.
M.drawing = ":root{color-scheme:light dark;" .. light .. "}@media(prefers-color-scheme:dark){:root{" .. dark .. "}}" .. [[
svg{font:11px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
svg text{fill:var(--ink)}svg text.dim{fill:var(--dim)}svg text.title{font-weight:600}
svg text.bad{fill:var(--bad)}svg text.good{fill:var(--good)}svg text.fault{fill:var(--fault)}
.paper{fill:var(--paper)}.grid{stroke:var(--line);stroke-width:1}.axis{stroke:var(--dim);stroke-width:1}
.main{fill:none;stroke:var(--blue);stroke-width:2;stroke-linejoin:round}
.second{fill:none;stroke:var(--n2);stroke-width:1.5;stroke-linejoin:round}
.third{fill:none;stroke:var(--n3);stroke-width:1.5;stroke-linejoin:round}
.fourth{fill:none;stroke:var(--n4);stroke-width:1.5;stroke-linejoin:round}
.faint{fill:none;stroke:var(--dim);stroke-width:1;stroke-linejoin:round}
.area{fill:var(--blue);opacity:.16}.wait{fill:var(--warn);opacity:.14}
.fault{stroke:var(--fault);stroke-width:1;stroke-dasharray:3 3}text.fault{stroke:none}
.limit{fill:none;stroke-width:1.5}.limit.good{stroke:var(--good)}.limit.bad{stroke:var(--bad)}
.tick{stroke:var(--ink);stroke-width:1.5}.bar{fill:var(--blue)}.bar.bad{fill:var(--bad)}.bar.good{fill:var(--good)}.track{fill:var(--soft)}
.none{fill:none;stroke:var(--line)}.held{fill:none;stroke:var(--bad);stroke-width:1.5}
.phase1{fill:var(--h6)}.phase2{fill:var(--h4)}.phase3{fill:var(--h3)}.phase4{fill:var(--h2)}.phase5{fill:var(--h1)}
svg text.halo{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
text.second,text.third,text.fourth,text.main,text.faint{stroke:none}
svg text.main{fill:var(--blue)}svg text.second{fill:var(--n2)}svg text.third{fill:var(--n3)}svg text.fourth{fill:var(--n4)}
svg text.faint{fill:var(--dim)}
]] .. table.concat(node_rules)

--- Rules of the page around them.
M.page = [[
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1000px;margin:0 auto;padding:40px 24px 64px}
header{border-top:5px solid var(--good);padding-top:20px}header.bad{border-color:var(--bad)}
h1{font-size:26px;line-height:1.25;font-weight:650;margin:0 0 4px;overflow-wrap:anywhere}
h1 b{color:var(--good);margin-right:.35em;letter-spacing:.02em}header.bad h1 b{color:var(--bad)}
h2{font-size:17px;font-weight:650;margin:44px 0 2px}
p{margin:4px 0 12px;max-width:88ch}.dim{color:var(--dim)}.about{color:var(--dim);overflow-wrap:anywhere}
.late{border-left:4px solid var(--warn);background:var(--soft);padding:8px 14px;margin:14px 0;max-width:none;overflow-wrap:anywhere}
.late b{color:var(--warn)}
dl.numbers{display:flex;flex-wrap:wrap;gap:18px 40px;margin:26px 0 0}
dl.numbers div{display:flex;flex-direction:column-reverse}
dl.numbers dt{color:var(--dim);font-size:13px}dl.numbers dd{margin:0;font-size:23px;line-height:1.2;font-weight:600;white-space:nowrap}
dd.bad{color:var(--bad)}
figure{margin:12px 0 0;overflow-x:auto}figure svg{display:block;width:100%;min-width:620px;height:auto}
.maps{display:grid;grid-template-columns:1fr 1fr;gap:0 32px}.maps figure svg{min-width:0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;margin-top:10px;width:100%;font-size:14px}
th{font-weight:500;color:var(--dim);text-align:left;font-size:13px}
th,td{padding:5px 16px 5px 0;border-bottom:1px solid var(--line);vertical-align:middle;max-width:26em;overflow-wrap:break-word}
th{white-space:nowrap}
td.r,th.r{text-align:right;white-space:nowrap}td:last-child,th:last-child{padding-right:0}
td.good{color:var(--good)}td.bad{color:var(--bad);font-weight:600}td svg{display:block;width:170px;height:14px}
code{font:13px ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace}
summary{cursor:pointer;color:var(--dim);margin-top:10px}
details[open] summary{margin-bottom:4px}
footer{margin-top:56px;padding-top:14px;border-top:1px solid var(--line);color:var(--dim);font-size:13px}
@media(max-width:640px){.maps{grid-template-columns:1fr}main{padding:24px 16px 48px}h1{font-size:21px}dl.numbers{gap:14px 28px}dl.numbers dd{font-size:19px}}
@media print{main{max-width:none;padding:0}h2{break-after:avoid}figure,tr{break-inside:avoid}}
]]

--- The class of a node's colour; after eight they come again.
---@param index integer  from 1
---@return string
function M.node_class(index) return "n" .. ((index - 1) % 8 + 1) end

return M
