/**
 * Asks a door over HTTP: as fast as it answers, or at a rate from intended times.
 *
 * In: the work as JSON. Out: one line of JSON: answers a second, their latency, how many were not as they should be. Never here: which
 * door.
 */
import { quantile } from "../harness/statistics.ts";

export interface AskerWork {
  readonly url: string;
  /** Questions numbered from here on; hits are asked again and again among `known`. */
  readonly first: number;
  readonly known: number | null;
  readonly connections: number;
  readonly warmMs: number;
  readonly forMs: number;
  /** Requests a second, sent when they are due; null sends the next when one is answered. */
  readonly rate: number | null;
}

export interface Asking {
  readonly answered: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly faults: number;
  /** All that were sent, the warm ones too. */
  readonly sent: number;
}

export const questionAt = (n: number) => ({
  title: `What is the answer to question number ${n} of this run, and why is it so?`,
  content: "",
  best_answer: `It is ${n}, since that is its number.`,
});

/** What is answered so long after the window still counts, with the latency that it had. */
const GRACE_MS = 5_000;

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? "") as AskerWork);

async function main(work: AskerWork): Promise<void> {
  process.stdin.on("end", () => process.exit(1)).resume();
  const latencies: number[] = [];
  let faults = 0;
  let sent = 0;
  const startMs = performance.now();
  const openMs = startMs + work.warmMs;
  const endMs = openMs + work.forMs;
  const ask = async (dueMs: number): Promise<void> => {
    const at = sent++;
    const n = work.known === null ? work.first + at : work.first + ((at * 7_919) % work.known);
    const response = await fetch(`${work.url}/query`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(questionAt(n)),
    });
    const text = await response.text();
    const nowMs = performance.now();
    const good =
      work.known === null ? response.status === 202 : response.status === 200 && text.includes('"hit":true');
    if (!good) faults++;
    if (dueMs >= openMs && nowMs <= endMs + GRACE_MS) latencies.push(nowMs - dueMs);
  };
  await (work.rate === null
    ? closed(work, ask, endMs)
    : open({ ...work, rate: work.rate }, ask, { startMs, endMs }));
  latencies.sort((a, b) => a - b);
  const result: Asking = {
    answered: latencies.length,
    perSecond: latencies.length / (work.forMs / 1_000),
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    faults,
    sent,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

async function closed(work: AskerWork, ask: (dueMs: number) => Promise<void>, endMs: number): Promise<void> {
  const one = async () => {
    for (let nowMs = performance.now(); nowMs < endMs; nowMs = performance.now()) await ask(nowMs);
  };
  await Promise.all(Array.from({ length: work.connections }, one));
}

async function open(
  { rate }: { readonly rate: number },
  ask: (dueMs: number) => Promise<void>,
  { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
): Promise<void> {
  const asking: Promise<void>[] = [];
  for (let n = 0; ; n++) {
    const dueMs = startMs + (n * 1_000) / rate;
    if (dueMs >= endMs) break;
    const earlyMs = dueMs - performance.now();
    if (earlyMs > 0) await Bun.sleep(earlyMs);
    asking.push(ask(dueMs));
  }
  await Promise.all(asking);
}
