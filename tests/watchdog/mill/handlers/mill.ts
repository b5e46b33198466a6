/** A handler that does what its message says, and some messages say what ends a process. */
import { handler, topic } from "cauce";
import * as v from "valibot";

export const DEEDS = ["nothing", "nap", "spin", "segv", "exit", "bomb"] as const;

export const grain = topic("grain", {
  schema: v.object({ id: v.string(), does: v.picklist(DEEDS), late: v.optional(v.boolean(), false) }),
  partitions: 4,
});

export default handler({
  name: "mill",
  on: grain,
  order: { by: "none" },
  concurrency: 8,
  async handle({ value: { id, does, late } }, { log }) {
    log.info("begun", { id });
    // Beyond the first `await` nothing tells whose code is on the stack.
    if (late) await Bun.sleep(20);
    await DOES[does]();
    log.info("ground", { id });
    return [];
  },
});

const DOES: Record<(typeof DEEDS)[number], () => unknown> = {
  nothing: () => Bun.sleep(10),
  nap: () => Bun.sleep(2_000),
  spin() {
    // oxlint-disable-next-line no-constant-condition -- that is the point
    while (true) {}
  },
  segv: () => {
    process.kill(process.pid, "SIGSEGV");
    return new Promise(() => {});
  },
  exit: () => process.exit(7),
  bomb() {
    // A limit that this process has passed already: the next memory that it asks the kernel for is refused.
    Bun.spawnSync(["prlimit", `--pid=${process.pid}`, `--data=${64 * 1024 * 1024}`]);
    const kept: object[] = [];
    for (;;) {
      try {
        kept.push({ filled: Array.from({ length: 100_000 }, () => kept.length) });
      } catch {
        // The engine's own refusal is no end; it goes on until there is one.
        kept.push({});
      }
    }
  },
};
