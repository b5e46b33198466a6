/**
 * A recorded hour of requests to real language models (Azure's public LLM inference traces).
 *
 * In: CSV with TIMESTAMP, ContextTokens, GeneratedTokens. Out: rows in order of time. Never here: questions; the trace has
 * none, only when requests came and how large they were.
 */
import { readFile } from "node:fs/promises";
import { CauceError } from "cauce";

export interface TraceRow {
  /** From the first request, in ms. */
  readonly atMs: number;
  readonly contextTokens: number;
  readonly generatedTokens: number;
}

/** @throws CauceError `invalid_value` naming the file, and the line that does not fit, with what was expected. */
export async function readTrace(path: string): Promise<readonly TraceRow[]> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw refuse(path, "it is not there, or it may not be read", cause);
  });
  return parseTrace(text, path);
}

/** As `readTrace`, for text that is already there; `name` is what errors call it. */
export function parseTrace(text: string, name = "the input"): readonly TraceRow[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (lines[0]?.trim() !== HEADER) throw refuse(name, `its first line should be ${HEADER}`);
  const rows = lines.flatMap((line, index) =>
    index === 0 || line.trim() === "" ? [] : [rowOf(line, index, name)],
  );
  const startMs = rows.reduce((least, row) => Math.min(least, row.atMs), Infinity);
  if (rows.length === 0) throw refuse(name, "it holds no request");
  return rows
    .map((row) => ({ ...row, atMs: row.atMs - startMs }))
    .toSorted((left, right) => left.atMs - right.atMs);
}

const HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens";

function rowOf(line: string, index: number, name: string): TraceRow {
  const [time = "", context = "", generated = ""] = line.split(",");
  // Ten-millionths of a second, and no zone: only differences count.
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?$/.exec(time.trim());
  const seconds = match ? Date.parse(`${match[1]}T${match[2]}Z`) / 1_000 : NaN;
  const atMs = Math.round((seconds + Number(match?.[3] ?? 0)) * 1_000);
  const [contextTokens, generatedTokens] = [tokensIn(context), tokensIn(generated)];
  if (!Number.isFinite(atMs) || contextTokens === undefined || generatedTokens === undefined) {
    throw refuse(name, `line ${index + 1} should be such as 2023-11-16 18:15:46.6805900,374,44`);
  }
  return { atMs, contextTokens, generatedTokens };
}

function tokensIn(text: string): number | undefined {
  return /^\d{1,9}$/.test(text.trim()) ? Number(text) : undefined;
}

function refuse(name: string, why: string, cause?: unknown): CauceError {
  return new CauceError("invalid_value", `the trace cannot be read from ${name}: ${why}`, { cause });
}
