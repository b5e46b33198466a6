/**
 * Recorded messages through the job's scoring module, without a cluster.
 *
 * In: records, and the judge's scripted replies. Out: for each the record that it would publish, and the prompts that it sent.
 * One process of `python3` for all of them. Never here: what the handler would do.
 */
import { join } from "node:path";
import type { IncomingRecord, OutgoingRecord } from "../../../runtime/bus/bus.ts";
import { LIMITS } from "./handler-side.ts";
import { NOW_MS } from "./recordings.ts";

export interface Scripted {
  readonly record: IncomingRecord;
  /** What the model replies, in the order of the prompts. */
  readonly replies?: readonly string[];
  /** How the call after the last reply fails. */
  readonly failure?: { readonly status: number | null; readonly message: string };
}

export interface PythonSide {
  readonly published: OutgoingRecord;
  readonly prompts: readonly string[];
}

export const PYTHON = Bun.which("python3");

/** `model` is the judge's; null for the offline judge. @throws Error with what Python printed when it fails. */
export async function throughPython(
  scripted: readonly Scripted[],
  model: string | null,
): Promise<readonly PythonSide[]> {
  const settings = {
    max_attempts: LIMITS.maxAttempts,
    greatest_age_ms: LIMITS.maxAgeMs,
    regen_threshold: LIMITS.regenThreshold,
    model,
    now_ms: NOW_MS,
  };
  const child = Bun.spawn([PYTHON ?? "python3", "-m", "scoring.replay", JSON.stringify(settings)], {
    cwd: join(import.meta.dir, ".."),
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
    stdin: new Blob(scripted.map((one) => `${JSON.stringify(toldOf(one))}\n`)),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [printed, complaints, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`the scoring module ended with ${code}:\n${complaints}`);
  return printed
    .trimEnd()
    .split("\n")
    .map((line) => sideOf(JSON.parse(line) as Shown));
}

interface Shown {
  readonly topic: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [string, string | null])[];
  readonly prompts: readonly string[];
}

function toldOf({ record, replies = [], failure }: Scripted) {
  const { topic, key, value, headers, partition, offset, timestampMs } = record;
  return {
    topic,
    partition,
    offset,
    timestamp_ms: timestampMs,
    key: toBase64(key),
    value: toBase64(value),
    headers: headers.map(([name, bytes]) => [name, toBase64(bytes)]),
    replies,
    ...(failure !== undefined && { failure }),
  };
}

function sideOf({ topic, key, value, headers, prompts }: Shown): PythonSide {
  return {
    published: {
      topic,
      key: toBytes(key),
      value: toBytes(value),
      headers: headers.map(([name, text]) => [name, toBytes(text)] as const),
    },
    prompts,
  };
}

function toBase64(data: Uint8Array | null): string | null {
  return data === null ? null : data.toBase64();
}

function toBytes(text: string | null): Uint8Array | null {
  return text === null ? null : Uint8Array.fromBase64(text);
}
