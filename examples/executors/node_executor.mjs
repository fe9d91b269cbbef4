#!/usr/bin/env node
// A single-shot executor in Node without packages; scripts: export default async function run({ job, emit }).
import { randomUUID } from "node:crypto";
import { readSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const u32 = (tag, n) => { const b = Buffer.alloc(5, tag); b.writeUInt32BE(n, 1); return b; };
const f64 = (n) => { const b = Buffer.alloc(9, 0xcb); b.writeDoubleBE(n, 1); return b; };
const pack = (v) => { // whole numbers may travel as floats; strings, arrays and maps with 32-bit lengths
  if (v === null || v === undefined) return Buffer.from([0xc0]);
  if (typeof v === "boolean") return Buffer.from([v ? 0xc3 : 0xc2]);
  if (typeof v === "number") return f64(v);
  if (typeof v === "string") return Buffer.concat([u32(0xdb, Buffer.byteLength(v)), Buffer.from(v)]);
  if (Array.isArray(v)) return Buffer.concat([u32(0xdd, v.length), ...v.map(pack)]);
  const entries = Object.entries(v).filter(([, value]) => value !== undefined);
  return Buffer.concat([u32(0xdf, entries.length), ...entries.flat().map(pack)]);
};
const write = (data) => { for (let at = 0; at < data.length; ) at += writeSync(1, data, at); };
const send = (frame) => { const body = pack(frame), prefix = Buffer.alloc(4); prefix.writeUInt32BE(body.length); write(Buffer.concat([prefix, body])); };
const end = (code, outcome) => { send({ type: "run_result", outcome }); process.exit(code); };

const validating = process.argv[2] === "--validate", script = process.argv.at(-1);
console.log = console.info = console.debug = console.error; // stdout belongs to frames
const loaded = await import(pathToFileURL(resolve(script))).catch((error) => ({ error }));
const problem = loaded.error ? String(loaded.error) : typeof loaded.default === "function" ? null : `${script} has no default function`;
if (validating) { write(Buffer.from(JSON.stringify(problem ? { valid: false, error: problem } : { valid: true, exports: { default: true, hooks: [] } }) + "\n")); process.exit(problem ? 1 : 0); }
if (problem) end(2, { status: "crash", message: problem });

const line = [], byte = Buffer.alloc(1); // one line of JSON; stdin stays open behind it, for acks
while (readSync(0, byte) === 1 && byte[0] !== 10) line.push(byte[0]);
const { run_id, attempt, job } = JSON.parse(Buffer.from(line).toString());
let seq = 0;
const emit = (type, payload = {}) => send({ contract_version: "1.0", event_id: randomUUID(), run_id, attempt, seq: ++seq, type, ts: new Date().toISOString(), payload });
try { await loaded.default({ job, emit }); } catch (error) {
  emit("run_error", { error_type: error.name ?? "Error", message: String(error.message ?? error), stack: error.stack ?? "" });
  end(1, { status: "error", message: String(error.message ?? error) });
}
emit("run_complete");
end(0, { status: "completed" });
