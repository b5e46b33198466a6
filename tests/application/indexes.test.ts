/** Every statement finds its rows by an index. `bun bench/indexes.ts` says the same of a million rows. */
import { expect, test } from "bun:test";
import { explainAll, wholeTables } from "../../bench/indexes.ts";
import { createDatabase } from "../services/postgres.ts";

test("no statement of the application reads a whole table", async () => {
  const explained = await explainAll(await createDatabase("indexes"), 30_000);
  expect(explained.length).toBeGreaterThan(12);
  expect(explained.flatMap((one) => wholeTables(one).map((scan) => `${one.what}: ${scan}`))).toEqual([]);
});
