/**
 * The whole runtime beside the bare loop on its own binding: parse, validate, n + 1, write, the same headers and derived ids.
 *
 * In: a stage. Out: the bare loop's CPU time over the runtime's, pair by pair. The runtime runs as any project of a user does:
 * `cauce handlers` with KAFKA_BROKERS and DATABASE_URL set, scheduler and watchdog included. The judged runs keep order by key
 * (each message has a key of its own); `json-hop-unordered` is the same without order.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bunHop, type Hop, measureInTurns } from "../harness/hop.ts";
import { type Measurement, measurement } from "../harness/measurement.ts";
import { repeat } from "../harness/pairs.ts";
import { runtimeEnvironment } from "../harness/runtime-environment.ts";
import type { Stage } from "../harness/stage.ts";

const MESSAGES = { 256: 1_500_000, 4096: 500_000 } as const;
const QUICK_SHARE = 0.1;

const row = "whole runtime, JSON + validation";
const bench = join(import.meta.dir, "..");

export const jsonHop: readonly Measurement[] = [
  compare({ name: "json-hop", bytes: 256, order: "key" }),
  compare({ name: "json-hop-4k", bytes: 4096, order: "key" }),
  compare({ name: "json-hop-unordered", bytes: 256, order: "none" }),
];

function compare(options: {
  readonly name: string;
  readonly bytes: 256 | 4096;
  readonly order: "key" | "none";
}): Measurement {
  const { name, bytes, order } = options;
  const reference = `CPU per message of the bare Bun loop over the runtime's, ${bytes} B, order by ${order}`;
  const limits = { row, reference, unit: "ratio", better: "higher", must: 0.85, aim: 0.97 } as const;
  return measurement({ name, ...limits }, async (stage) => {
    const messages = Math.round(MESSAGES[bytes] * (stage.quick ? QUICK_SHARE : 1));
    const input = await stage.fillTopic({ messages, bytes, headers: 7 });
    const runtime = await runtimeHop(stage, order);
    const hops = { reference: BARE_LOOP, ours: runtime.hop };
    // The judged row: one pair differs from the next by up to a fifth.
    const count = order === "key" && bytes === 256 ? 2 * stage.morePairs : stage.morePairs;
    const pairs = await repeat(count, () => measureInTurns(stage, input, hops));
    runtime.close();
    await stage.dropTopics(input.topic);
    return pairs;
  });
}

/** What the runtime does for a message that goes well, by hand. */
export const BARE_LOOP: Hop = {
  title: "bare loop",
  start: bunHop(join(bench, "reference", "bare-loop.ts")),
  added: 1,
  ids: { derivedFor: "next" },
  variant: "enveloped",
};

/** `cauce handlers` on the project json-hop, with a database and a state folder of its own. */
export async function runtimeHop(
  stage: Stage,
  variant: "key" | "none" | "exactly-once",
): Promise<{ readonly hop: Hop; readonly close: () => void }> {
  const databaseUrl = await stage.newDatabase();
  const stateDir = mkdtempSync(join(tmpdir(), "cauce-bench-state-"));
  const hop: Hop = {
    title: variant === "exactly-once" ? "exactly once " : "runtime",
    added: 1,
    ids: { derivedFor: "next" },
    variant,
    transactional: variant === "exactly-once",
    start: (work) => ({
      command: [process.execPath, join(bench, "..", "runtime", "bin", "cauce.ts"), "handlers"],
      cwd: join(bench, "json-hop"),
      env: {
        ...runtimeEnvironment(stage, databaseUrl),
        WORK: JSON.stringify(work),
        RUN: `${work.group},scheduler`,
        STATE_DIR: stateDir,
      },
      onLine: (line, child) => {
        if (line === "all") child.end();
      },
    }),
  };
  return { hop, close: () => rmSync(stateDir, { recursive: true, force: true }) };
}
