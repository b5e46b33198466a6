/**
 * The JSON hop on the binding alone, by hand: what is left when the runtime is taken away.
 *
 * In: a `HopWork`; variant `enveloped` does what the runtime does for a message that goes well: reads its headers, parses and
 * validates, n + 1, validates and writes the output, derives its id and trace, writes the same headers. `plain` is the hop as
 * the peers do it, without headers and with one validation. Out: the window. Not here: what the runtime does for a message
 * that does not go well: retries, deadlines, order by key, dead letters.
 */
import { hash } from "node:crypto";
import * as v from "valibot";
import { MeasuredWindow, readWork } from "../harness/window.ts";
import { Numbered, step } from "../json-hop/hop.ts";
import { openLoop, type Produced, type Taken } from "./loop.ts";

const work = readWork();
const utf8 = new TextEncoder();
const READ = ["ce_id", "traceparent"];
const TRACEPARENT = /^00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})$/;
const specversion = utf8.encode("1.0");
const source = utf8.encode(`/bench/${work.group}`);
const type = utf8.encode(work.to);
const contentType = utf8.encode("application/json");

const hop = work.variant === "enveloped" ? enveloped : plain;
const loop = await openLoop(work);
const window = new MeasuredWindow(work);
for (let all = false; !all;) {
  const taken = await loop.take();
  await loop.produce(taken.map(hop));
  all = window.saw(taken.length);
}
await loop.close();
process.stdout.write(`${window.line()}\n`);
process.exit(0);

function plain(record: Taken): Produced {
  const value = v.parse(Numbered, JSON.parse(record.valueText() ?? ""));
  return { topic: work.to, key: record.key, value: utf8.encode(JSON.stringify(step(value))), headers: [] };
}

function enveloped(record: Taken): Produced {
  const [id = "", traceparent = ""] = record.headerTexts(READ);
  const value = v.parse(Numbered, JSON.parse(record.valueText() ?? ""));
  const output = step(value);
  v.parse(Numbered, output);
  const outputId = hash("sha256", `${id}\u001fnext\u001f0`, "hex").slice(0, 32);
  const trace = TRACEPARENT.exec(traceparent);
  const headers: [string, Uint8Array][] = [
    ["ce_specversion", specversion],
    ["ce_id", utf8.encode(outputId)],
    ["ce_source", source],
    ["ce_type", type],
    ["ce_time", utf8.encode(new Date().toISOString())],
    ["content-type", contentType],
  ];
  if (trace)
    headers.push(["traceparent", utf8.encode(`00-${trace[1]}-${outputId.slice(0, 16)}-${trace[2]}`)]);
  return {
    topic: work.to,
    key: utf8.encode(output.id.slice(2)),
    value: utf8.encode(JSON.stringify(output)),
    headers,
  };
}
