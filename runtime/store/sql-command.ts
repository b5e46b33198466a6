/**
 * `bun run sql`: one statement, or a prompt, for machines without psql.
 *
 * In: an address, a statement or lines. Out: aligned tables, row counts, Postgres's errors with their hint.
 * Never here: a meaning of the tables; the schema is only first in the search path.
 */
import postgres from "postgres";
import { databaseFailure } from "./failure.ts";
import { STORE_LIMITS } from "./limits.ts";
import { checkedSchema } from "./statements.ts";

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
  let client: postgres.Sql;
  try {
    client = postgres(url, {
      max: 1,
      fetch_types: false,
      connect_timeout: STORE_LIMITS.connectTimeoutMs / 1_000,
      connection: { application_name: "cauce sql" },
      onnotice: (notice) => write(`${notice["severity"] ?? "NOTICE"}: ${notice["message"] ?? ""}`),
    });
  } catch {
    write("The database's address cannot be read: expected postgres://user:password@host:5432/database");
    return 1;
  }
  const one = (text: string) => runStatement(client, text, { write, cellWidth });
  try {
    await client.unsafe(`SET search_path TO "${checkedSchema(schema)}", public`);
    return statement === undefined ? await prompt(lines, write, one) : await one(statement);
  } catch (error) {
    write(databaseFailure(error).message);
    return 1;
  } finally {
    await client.end({ timeout: 1 });
  }
}

async function prompt(
  lines: AsyncIterable<string>,
  write: (line: string) => void,
  one: (text: string) => Promise<number>,
): Promise<number> {
  write(
    String.raw`SQL, ended with ";". \q leaves. What waits: SELECT * FROM schedule ORDER BY due_at LIMIT 20;`,
  );
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
  const rows = result.map((row) =>
    row.map((cell) => shorten(cell === null ? "" : decoder.decode(cell), cellWidth)),
  );
  const widths = names.map((name, column) =>
    Math.max(Bun.stringWidth(name), ...rows.map((row) => Bun.stringWidth(row[column] ?? ""))),
  );
  const aligned = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - Bun.stringWidth(cell))))
      .join(" | ");
  write(aligned(names).trimEnd());
  write(widths.map((width) => "-".repeat(width)).join("-+-"));
  for (const row of rows) write(aligned(row).trimEnd());
  write(rows.length === 1 ? "(1 row)" : `(${rows.length} rows)`);
}

/** One line, without control characters: a value must not move the cursor of a terminal. */
function shorten(cell: string, width: number): string {
  const line = cell.replaceAll(/\p{Cc}/gu, (unit) => CONTROLS.get(unit) ?? "\uFFFD");
  return line.length <= width ? line : `${line.slice(0, width - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

const CONTROLS: ReadonlyMap<string, string> = new Map([
  ["\n", "\u21B5"],
  ["\r", ""],
  ["\t", " "],
]);

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
