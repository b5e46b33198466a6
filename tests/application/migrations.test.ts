import { expect, test } from "bun:test";
import { generateDrizzleJson, generateMigration } from "drizzle-kit/api";
import * as tables from "../../schema/tables.ts";
import journal from "../../schema/migrations/meta/_journal.json";

test("the committed migrations make exactly the tables of schema/tables.ts", async () => {
  const last = journal.entries.at(-1);
  const number = String(last?.idx).padStart(4, "0");
  const folder = new URL("../../schema/migrations/meta/", import.meta.url);
  const committed = (await Bun.file(new URL(`${number}_snapshot.json`, folder)).json()) as ReturnType<
    typeof generateDrizzleJson
  >;
  const declared = generateDrizzleJson({ ...tables }, committed.id);
  expect(await generateMigration(committed, declared)).toEqual([]);
});
