/**
 * The hop as a user of Cauce writes it, run by `cauce handlers` as any project is.
 *
 * In: WORK, a `HopWork` as JSON; its variant is the order, or `exactly-once` (by key). Out: the lines `first` and `all` with those messages;
 * at exit, the window.
 */
import { handler, topic } from "cauce";
import type { HopWork } from "../../harness/window.ts";
import { MeasuredWindow } from "../../harness/window.ts";
import { Numbered, step } from "../hop.ts";

const work = JSON.parse(process.env["WORK"] ?? "") as HopWork;
// Whoever started us holds the other end: however it ended, so do we. It must not keep a stopped process alive.
process.stdin
  .on("end", () => process.exit(1))
  .resume()
  .unref();
const window = new MeasuredWindow(work);
process.once("exit", () => process.stdout.write(`${window.line()}\n`));

const from = topic(work.from, { schema: Numbered, provision: "verify" });
const next = topic(work.to, { schema: Numbered, key: keyOf, provision: "verify" });

export default handler({
  name: work.group,
  on: from,
  out: { next },
  order: work.variant === "none" ? { by: "none" } : { by: "key", whileRetrying: "skip" },
  ...(work.variant === "exactly-once" && { guarantee: "exactly-once" as const }),
  concurrency: 1_000,
  handle({ value }, { out }) {
    if (window.seen === 0) process.stdout.write("first\n");
    if (window.saw(1)) process.stdout.write("all\n");
    return out.next(step(value));
  },
});

/** As reference/fill.c makes it. */
function keyOf({ id }: Numbered): string {
  return id.slice(2);
}
