// The peer of idle_users.lua: connections of plain ws that authenticate and then say
// nothing but a PING every 5 s. One JSON object on standard input; on standard output the
// resident bytes before and with all of them open.
"use strict";
const fs = require("node:fs");
const WebSocket = require("ws");
const { Packr, unpack } = require("msgpackr");

const packr = new Packr({ useRecords: false, variableMapSize: true });
const CONNECTING = 100; // at a time

// The kernel's figure, as for the other side.
function residentBytes() {
  return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
}

function run({ url, token, users, seconds }) {
  gc();
  const before = residentBytes();
  let begun = 0, ready = 0;

  function measure() {
    gc();
    process.stdout.write(JSON.stringify({ before, after: residentBytes() }) + "\n");
    process.exit(0);
  }

  function open() {
    begun++;
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.on("message", (data) => {
      const message = unpack(data);
      if (message.type === "AUTH_REQUIRED") socket.send(packr.pack({ type: "AUTH", token }));
      else if (message.type === "AUTH_ACK") {
        setInterval(() => socket.send(packr.pack({ type: "PING", timestamp: Date.now() })), 5000);
        ready++;
        if (begun < users) open();
        if (ready === users) setTimeout(measure, seconds * 1000);
      }
    });
    socket.on("error", (err) => {
      process.stderr.write(`${err.message}\n`);
      process.exit(1);
    });
    socket.on("close", () => process.exit(1));
  }

  for (let i = 0; i < Math.min(CONNECTING, users); i++) open();
}

let text = "";
process.stdin.on("data", (chunk) => { text += chunk; });
process.stdin.on("end", () => run(JSON.parse(text)));
