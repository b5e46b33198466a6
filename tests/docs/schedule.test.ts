import { expect, test } from "bun:test";
import { createDatabase } from "../services/postgres.ts";
import { answeredPage, nightOfAShop, readPage } from "./schedule-page.ts";

test("every statement of the page for operators answers what the page says", async () => {
  const url = await createDatabase("docs_schedule");
  await nightOfAShop(url);
  const page = readPage();
  expect(page.match(/^## \d+\./gm)?.length).toBe(12);
  expect((await answeredPage(page, url)).split("\n")).toEqual(page.split("\n"));
});
