/**
 * How long the offline model takes for an answer, and how many tokens it says it used, as a recorded trace has them.
 *
 * In: the trace's rows, speeds. Out: for a question and an attempt always the same row of the trace. Never here: waiting.
 */
import type { TraceRow } from "../../questions/trace.ts";
import { share } from "./script.ts";

export interface PaceOptions {
  readonly rows: readonly TraceRow[];
  /** Tokens of the prompt that are read, per second. */
  readonly readTokensPerSecond: number;
  /** Tokens of the answer that are written, per second. */
  readonly writeTokensPerSecond: number;
}

export interface Pace {
  readonly delayMs: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** Questions draw their rows evenly by the hash of id and attempt: latencies are distributed as in the trace. */
export type PaceOf = (id: string, attempt: number) => Pace;

export function paceFrom({ rows, readTokensPerSecond, writeTokensPerSecond }: PaceOptions): PaceOf {
  return (id, attempt) => {
    const row = rows[Math.floor(share(`${id}\u001f${attempt}`) * rows.length)];
    const { contextTokens, generatedTokens } = row ?? { contextTokens: 0, generatedTokens: 0 };
    const seconds = contextTokens / readTokensPerSecond + generatedTokens / writeTokensPerSecond;
    return {
      delayMs: Math.round(seconds * 1_000),
      promptTokens: contextTokens,
      completionTokens: generatedTokens,
    };
  };
}
