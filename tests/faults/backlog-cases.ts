/**
 * A backlog of a million messages before handlers that take seconds: what is fetched ahead stays small.
 *
 * In: a real broker. Out: cases. Never here: how much may be in hand (runtime/engine/limits.ts).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { bytes } from "../bus/owner.ts";
import { testLibrary } from "../kafka/library.ts";
import { verdictOf, type FaultCase, type Services } from "./case.ts";
import type { RunVerdict } from "./run.ts";

const MESSAGES = 1_000_000;
const PARTITIONS = 6;
const CALL = 10_000;
/** Some rounds of the handlers, which take 2 s each, 256 at a time. */
const HANDLED = 2_000;
/** Of the process with no message in hand, over the process with all it may hold. */
const MOST_GROWTH_MB = 128;

async function backlog({ brokers }: Services): Promise<RunVerdict> {
  const bus = await createKafkaBus({ library: await testLibrary(), brokers, clientId: "backlog" });
  const name = `backlog-${crypto.randomUUID()}`;
  await bus.ensureTopics([{ name, partitions: PARTITIONS, provision: "create" }]);
  const command = [process.execPath, join(import.meta.dir, "backlog-worker.ts"), brokers, name, name];
  const worker = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  let handled = 0;
  let emptyMb = 0;
  let mostMb = 0;
  try {
    let text = "";
    for await (const chunk of worker.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      if (lines.includes("ready")) {
        emptyMb = residentMb(worker.pid);
        await fill(bus, name);
      }
      handled += lines.filter((line) => line === "handled").length;
      mostMb = Math.max(mostMb, residentMb(worker.pid));
      if (handled >= HANDLED) break;
    }
  } finally {
    worker.kill("SIGKILL");
    await worker.exited;
    await bus.close();
  }
  const growthMb = Math.round(mostMb - emptyMb);
  const complaints = [
    growthMb <= MOST_GROWTH_MB ? "" : `it grew by ${growthMb} MB, from ${Math.round(emptyMb)} MB`,
    handled >= HANDLED ? "" : `it ended after ${handled} messages`,
  ].filter((complaint) => complaint !== "");
  return verdictOf({ successes: handled, complaints });
}

async function fill(bus: Awaited<ReturnType<typeof createKafkaBus>>, topic: string): Promise<void> {
  const value = bytes(JSON.stringify({ n: 1, text: "x".repeat(500) }));
  const records = Array.from({ length: CALL }, () => ({ topic, key: null, value, headers: [] }));
  for (let sent = 0; sent < MESSAGES; sent += CALL) await bus.publish(records);
}

/** VmRSS of a process, in MB. */
function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024;
}

export const backlogCases: readonly FaultCase[] = [
  {
    number: 32,
    title: "1,000,000 messages of 0.5 KB wait for handlers that take 2 s, 256 at once",
    expected: `memory grows by no more than ${MOST_GROWTH_MB} MB`,
    quick: false,
    run: backlog,
  },
];
