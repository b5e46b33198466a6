/**
 * `bun run sql`: one statement, or a prompt, for machines without psql.
 *
 * In: an address, a statement or lines. Out: aligned tables, row counts, Postgres's errors with their hint.
 * Never here: a meaning of the tables; the schema is only first in the search path.
 */
import postgres from "postgres";
import { askDatabase } from "./ask-database.ts";
import { databaseFailure } from "./failure.ts";
import { tableLines } from "./table.ts";

export interface SqlCommandOptions {
  readonly url: string;
  /** What to run; without it, lines are read until the end or `\q`. A statement at the prompt ends with `;`. */
  readonly statement?: string;
  readonly write: (line: string) => void;
  /** Lines for the prompt. Default: standard input. */
  readonly lines?: AsyncIterable<string>;
  /** First in the search path. Default `cauce`. */
  readonly schema?: string;
  /** Characters of a cell that are shown. Default 60. */
  readonly cellWidth?: number;
}

/** Resolves with the exit code: 0, or 1 when a statement failed. Never rejects for a statement's error. */
export async function runSql(options: SqlCommandOptions): Promise<number> {
  const { url, statement, write, lines = console, schema = "cauce", cellWidth = 60 } = options;
  return await askDatabase({ url, schema, program: "cauce sql", write }, async (sql) => {
    const one = (text: string) => runStatement(sql, text, { write, cellWidth });
    return statement === undefined ? await prompt(lines, write, one) : await one(statement);
  });
}

async function prompt(
  lines: AsyncIterable<string>,
  write: (line: string) => void,
  one: (text: string) => Promise<number>,
): Promise<number> {
  write(String.raw`SQL, ended with ";". \q leaves. What waits: SELECT * FROM schedule_oldest;`);
  let text = "";
  let code = 0;
  for await (const line of lines) {
    if (/^\s*(\\q|quit|exit)\s*;?\s*$/i.test(line)) break;
    text += `${line}\n`;
    if (!/;\s*$/.test(text)) continue;
    code = await one(text);
    text = "";
  }
  return text.trim() === "" ? code : await one(text);
}

interface Showing {
  readonly write: (line: string) => void;
  readonly cellWidth: number;
}

async function runStatement(client: postgres.Sql, text: string, showing: Showing): Promise<number> {
  try {
    const answer: unknown = await client.unsafe(text).raw();
    for (const result of severalOf(answer)) show(result, showing);
    return 0;
  } catch (error) {
    for (const line of describeError(error, text)) showing.write(line);
    return 1;
  }
}

/** What the driver returns per statement: rows of raw cells, with what the server said about them. */
interface RawResult extends ReadonlyArray<readonly (Uint8Array | null)[]> {
  readonly columns?: readonly { readonly name: string }[];
  readonly command?: string;
  readonly count?: number | null;
}

/**
 * Several statements come back as a plain list of results; a result alone carries its own command. Of statements
 * without rows that follow one another the driver reports only the last.
 */
function severalOf(answer: unknown): readonly RawResult[] {
  const result = answer as RawResult;
  return "command" in result ? [result] : (answer as readonly RawResult[]);
}

function show(result: RawResult, { write, cellWidth }: Showing): void {
  const names = (result.columns ?? []).map(({ name }) => name);
  if (names.length === 0) {
    const count = typeof result.count === "number" && result.command !== "SET" ? ` ${result.count}` : "";
    return write(`${result.command ?? "done"}${count}`);
  }
  const decoder = new TextDecoder();
  const rows = result.map((row) => row.map((cell) => (cell === null ? "" : decoder.decode(cell))));
  for (const line of tableLines(names, rows, cellWidth)) write(line);
  write(rows.length === 1 ? "(1 row)" : `(${rows.length} rows)`);
}

function describeError(error: unknown, text: string): readonly string[] {
  if (!(error instanceof postgres.PostgresError)) return [databaseFailure(error).message];
  const lines = [`ERROR: ${error.message} (${error.code})`];
  const position = Number(error.position);
  if (position > 0) {
    const before = text.slice(0, position - 1);
    const start = before.lastIndexOf("\n") + 1;
    const line = text.slice(start).split("\n")[0] ?? "";
    lines.push(`  ${line}`, `  ${" ".repeat(before.length - start)}^`);
  }
  if (error.detail) lines.push(`DETAIL: ${error.detail}`);
  if (error.hint) lines.push(`HINT: ${error.hint}`);
  return lines;
}
