/**
 * One of several processes that share a topic: a handler that waits, as one does for a model.
 *
 * In: FROM, NAME, IN_FLIGHT, TAKES_MS. Out: `ready`; a line `done N` from time to time; at its end a line of JSON with what it used
 * between its first and its last message.
 */
import { handler, topic } from "cauce";
import { Numbered } from "../json-hop/hop.ts";
import { serve } from "../runtime/serve.ts";

export interface Worked {
  readonly messages: number;
  readonly cpuUs: number;
  readonly rssBytes: number;
  /** In ms since 1970; NaN becomes null where it had none. */
  readonly firstMs: number | null;
  readonly lastMs: number | null;
}

const setting = (name: string) => process.env[name] ?? "";
const takesMs = Number(setting("TAKES_MS"));
const nowMs = () => performance.timeOrigin + performance.now();
const TELL_EVERY_MS = 100;

let messages = 0;
let firstMs: number | null = null;
let lastMs: number | null = null;
let cpu = process.cpuUsage();

process.once("exit", () => {
  const { user, system } = process.cpuUsage(cpu);
  const worked: Worked = {
    messages,
    cpuUs: user + system,
    rssBytes: process.memoryUsage.rss(),
    firstMs,
    lastMs,
  };
  process.stdout.write(`${JSON.stringify(worked)}\n`);
});

await serve([
  handler({
    name: setting("NAME"),
    on: topic(setting("FROM"), { schema: Numbered, provision: "verify" }),
    order: { by: "none" },
    concurrency: Number(setting("IN_FLIGHT")),
    async handle() {
      if (firstMs === null) {
        firstMs = nowMs();
        cpu = process.cpuUsage();
      }
      await Bun.sleep(takesMs);
      messages++;
      lastMs = nowMs();
    },
  }),
]);
setInterval(() => process.stdout.write(`done ${messages}\n`), TELL_EVERY_MS);
