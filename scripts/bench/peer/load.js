// The best plain JavaScript generator: ws and msgpackr, one connection, batches
// pipelined up to a window, nothing kept but what an acknowledgement needs. Run by
// scripts/bench/load.lua with one JSON object on standard input.
"use strict";
const WebSocket = require("ws");
const { Packr, unpack } = require("msgpackr");

const packr = new Packr({ useRecords: false, variableMapSize: true });
const WINDOW = 64;
const KEYS = 10000;
const keys = Array.from({ length: KEYS }, (_, i) => `key-${i + 1}`);

function run({ url, token, batch, operations }) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const started = new Map(); // last id of a batch -> its size and start
  let sequence = 0, sent = 0, acked = 0, millis = Date.now(), counter = 0;
  let began, cpu;

  const ops = Array.from({ length: batch }, () => ({
    id: "", key: "", mapName: "bench", opType: "PUT",
    record: { timestamp: { millis: 0, counter: 0, nodeId: "6f1c2b9e-0d4a-4c57-9a3e-5b8f7d2e1c04" }, value: { v: 0 } },
  }));
  function operation(op) {
    op.key = keys[sequence % KEYS];
    op.id = `bench000-${(++sequence).toString(36).padStart(12, "0")}`;
    const record = op.record;
    record.timestamp.millis = millis; record.timestamp.counter = counter++;
    record.value.v = sequence;
  }

  function fill() {
    while (started.size < WINDOW && sent < operations) {
      const wall = Date.now();
      if (wall > millis) { millis = wall; counter = 0; }
      for (let i = 0; i < batch; i++) operation(ops[i]);
      sent += batch;
      started.set(ops[batch - 1].id, { size: batch, at: performance.now() });
      socket.send(packr.pack({ type: "OP_BATCH", payload: { ops } }));
    }
  }

  function finish() {
    const used = process.cpuUsage(cpu);
    process.stdout.write(JSON.stringify({
      acked, seconds: (performance.now() - began) / 1000, cpu_seconds: (used.user + used.system) / 1e6,
    }) + "\n");
    socket.close();
  }

  function onAck(id) {
    const one = started.get(id);
    if (one === undefined) return;
    started.delete(id);
    acked += one.size;
    if (acked >= operations) finish();
  }

  function take(message) {
    if (message.type === "AUTH_REQUIRED") socket.send(packr.pack({ type: "AUTH", token }));
    else if (message.type === "AUTH_ACK") {
      began = performance.now();
      cpu = process.cpuUsage();
    } else if (message.type === "OP_ACK") onAck(message.payload.lastId);
    else return;
    if (began !== undefined) fill();
  }

  socket.on("message", (data) => take(unpack(data)));
  socket.on("error", (err) => {
    process.stderr.write(`${err.message}\n`);
    process.exit(1);
  });
}

let text = "";
process.stdin.on("data", (chunk) => { text += chunk; });
process.stdin.on("end", () => run(JSON.parse(text)));
