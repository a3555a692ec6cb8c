// The peer of hot_path.lua: what plain JavaScript does at its best for the same work,
// with the packages ws and msgpackr. Reads one order per line, "NAME OPERATIONS", and
// answers each with one JSON line.
"use strict";
const { Packr } = require("msgpackr");
const { Sender } = require("ws");

const PARTITIONS = 271;
const BATCH = 100;
const NODES = ["node-1", "node-2", "node-3"];

const partitions = [];
for (let p = 0; p < PARTITIONS; p++) {
  partitions.push({ partitionId: p, ownerNodeId: NODES[p % 3], backupNodeIds: [NODES[(p + 1) % 3]] });
}
const owners = partitions.map((p) => p.ownerNodeId);

// The same keys and names as the other side has.
const KEYS = 10000;
const keys = [];
const names = [];
for (let i = 1; i <= KEYS; i++) {
  keys.push(`player:${String(i).padStart(5, "0")}`);
  names.push(`name ${i}`);
}

// FNV-1a over UTF-16 code units.
function hash(key) {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

const packr = new Packr({ useRecords: false });
const local = new Map();
const pending = new Map();
let sequence = 0;
let millis = 0;
let counter = 0;

function now() {
  const wall = Date.now();
  if (wall > millis) {
    millis = wall;
    counter = 0;
  } else {
    counter++;
  }
  return { millis, counter, nodeId: "6f1c2b9e-0d4a-4c57-9a3e-5b8f7d2e1c04" };
}

// Record, route by direct index, encode a batch, frame it (masked, as clients must),
// and forget it, as its acknowledgement would have it.
function encodeRoute(operations) {
  let bytes = 0;
  let batch = [];
  let routed = 0;
  for (let i = 0; i < operations; i++) {
    const at = i % KEYS;
    const key = keys[at];
    const record = { timestamp: now(), value: { name: names[at], score: i, active: true } };
    local.set(key, record);
    const id = `bench000-${(++sequence).toString(36).padStart(12, "0")}`;
    const op = { id, key, mapName: "players", opType: "PUT", record };
    pending.set(id, op);
    if (owners[hash(key) % PARTITIONS] !== undefined) routed++;
    batch.push(op);
    if (batch.length === BATCH) {
      const message = packr.pack({ type: "OP_BATCH", payload: { ops: batch } });
      const frame = Sender.frame(message, {
        fin: true, rsv1: false, opcode: 2, mask: true, readOnly: false,
      });
      for (const part of frame) bytes += part.length;
      for (const sent of batch) pending.delete(sent.id);
      batch = [];
    }
  }
  if (routed !== operations) throw new Error("a key has no owner");
  return bytes;
}

// The reference client's way: the partition's entry is searched for.
function routeBySearch(operations) {
  let found = 0;
  for (let i = 0; i < operations; i++) {
    const id = hash(keys[i % KEYS]) % PARTITIONS;
    const entry = partitions.find((p) => p.partitionId === id);
    if (entry.ownerNodeId === "node-1") found++;
  }
  return found;
}

const work = { encode_route_b100: encodeRoute, route: routeBySearch };

require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const [name, count] = line.split(" ");
  const operations = Number(count);
  const begin = process.hrtime.bigint();
  const result = work[name](operations);
  const ns = Number(process.hrtime.bigint() - begin) / operations;
  gc(); // so that nothing is left to be collected beside the other side's measurement
  process.stdout.write(JSON.stringify({ ns, result }) + "\n");
});
