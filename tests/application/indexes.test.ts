/** Every statement finds its rows by an index. `bun bench/indexes.ts` says the same of a million rows. */
import { expect, test } from "bun:test";
import { explainAll, wholeTables } from "../../bench/indexes.ts";
import { createDatabase } from "../services/postgres.ts";

test("no statement of the application reads a whole table", async () => {
  const explained = await explainAll(await createDatabase("indexes"), 30_000);
  expect(explained.length).toBeGreaterThan(12);
  // The few that are open are found by it; who knows an id must not go through all of them.
  const byOpen = explained.filter(({ scans }) => scans.some((scan) => scan.includes("question_open")));
  expect(byOpen.map(({ what }) => what)).toEqual(["ending forgotten questions"]);
  expect(explained.flatMap((one) => wholeTables(one).map((scan) => `${one.what}: ${scan}`))).toEqual([]);
});
