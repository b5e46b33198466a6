/**
 * Slow handlers, many in flight: how long do all messages take, and does the order of each key hold?
 *
 * In: FROM, NAME, MESSAGES, IN_FLIGHT, TAKES_MS. Out: one line of JSON: ms from the first start to the last end, and how often a
 * message ran beside or before an earlier one of its key, or twice.
 */
import { handler, topic } from "cauce";
import { Numbered } from "../json-hop/hop.ts";
import { serve } from "./serve.ts";

const setting = (name: string) => process.env[name] ?? "";
const messages = Number(setting("MESSAGES"));
const takesMs = Number(setting("TAKES_MS"));

const running = new Set<string>();
const last = new Map<string, number>();
let violations = 0;
let startMs = 0;
let finished = 0;
const all = Promise.withResolvers<void>();

const end = await serve([
  handler({
    name: setting("NAME"),
    on: topic(setting("FROM"), { schema: Numbered, provision: "verify" }),
    order: { by: "key", whileRetrying: "skip" },
    concurrency: Number(setting("IN_FLIGHT")),
    async handle({ key, value }) {
      if (startMs === 0) startMs = performance.now();
      const name = key ?? "";
      if (running.has(name) || (last.get(name) ?? -1) >= value.n) violations++;
      running.add(name);
      last.set(name, value.n);
      await Bun.sleep(takesMs);
      running.delete(name);
      if (++finished === messages) all.resolve();
    },
  }),
]);
await all.promise;
const wallMs = performance.now() - startMs;
await end();
process.stdout.write(`${JSON.stringify({ wallMs, violations, missing: messages - finished })}\n`);
process.exit(0);
