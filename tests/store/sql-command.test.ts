/** `bun run sql` on a real Postgres. */
import { beforeAll, expect, test } from "bun:test";
import { silentLog } from "../../runtime/ground/log.ts";
import { migrate } from "../../runtime/store/migrate.ts";
import { runSql } from "../../runtime/store/sql-command.ts";
import { createDatabase } from "../services/postgres.ts";
import { freePort } from "../services/port.ts";

let url: string;
beforeAll(async () => {
  url = await createDatabase("store_sql");
  await migrate({ url, schema: "cauce", log: silentLog });
});

async function ask(statement: string, more: { readonly cellWidth?: number } = {}) {
  const lines: string[] = [];
  const code = await runSql({ url, statement, write: (line) => lines.push(line), ...more });
  return { code, lines };
}

test("a statement's rows are shown as an aligned table with their number", async () => {
  expect(await ask("SELECT 1 AS n, 'ñ🦉' AS text, NULL AS nothing UNION ALL SELECT 22, 'b', true")).toEqual({
    code: 0,
    lines: ["n  | text | nothing", "---+------+--------", "1  | ñ🦉  |", "22 | b    | t", "(2 rows)"],
  });
});

test("the schedule is in the search path, and an empty result says so", async () => {
  expect((await ask("SELECT topic, due_in FROM schedule")).lines.at(-1)).toBe("(0 rows)");
});

test("changes say how many rows they touched, and what follows them in the same text is answered too", async () => {
  const { code, lines } = await ask(
    "CREATE TABLE public.x (a int); INSERT INTO x VALUES (1), (2); SELECT * FROM x WHERE a = 2",
  );
  expect(code).toBe(0);
  expect(lines).toEqual(["INSERT 2", "a", "-", "2", "(1 row)"]);
});

test("wide cells are cut and control characters shown, so that the terminal stays as it is", async () => {
  const { lines } = await ask(String.raw`SELECT repeat('x', 500) AS wide, E'a\nb\x1b[31m' AS odd`, {
    cellWidth: 10,
  });
  expect(lines[2]).toBe("xxxxxxxxx… | a↵b\uFFFD[31m");
});

test("an error shows the place, the detail and the hint, and the exit code is 1", async () => {
  const { code, lines } = await ask("SELECT topicc\nFROM schedule");
  expect(code).toBe(1);
  expect(lines[0]).toContain("does not exist (42703)");
  expect(lines.slice(1, 3)).toEqual(["  SELECT topicc", "         ^"]);
  expect(lines.join("\n")).toContain("HINT:");
});

test("the prompt runs each statement when its semicolon has come, goes on after an error, and leaves at \\q", async () => {
  async function* typed() {
    yield* [
      "SELECT 1",
      "AS one;",
      "SELECT nonsense;",
      "SELECT 3 AS three;",
      String.raw`\q`,
      "SELECT 4 AS four;",
    ];
  }
  const lines: string[] = [];
  expect(await runSql({ url, write: (line) => lines.push(line), lines: typed() })).toBe(0);
  const text = lines.join("\n");
  expect(text).toContain("one");
  expect(text).toContain("ERROR");
  expect(text).toContain("three");
  expect(text).not.toContain("four");
});

test("a database that is away is said in one line, without the password", async () => {
  const lines: string[] = [];
  const away = `postgres://ada:canary@127.0.0.1:${freePort()}/x`;
  expect(await runSql({ url: away, statement: "SELECT 1", write: (line) => lines.push(line) })).toBe(1);
  expect(lines.length).toBe(1);
  expect(lines[0]).toContain("away");
  expect(lines[0]).not.toContain("canary");
});
