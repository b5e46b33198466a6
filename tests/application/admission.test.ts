/** A door whose line is too long lets nobody new in, and says honestly when to come back. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { openDoorOn, newTitle } from "./open-door.ts";
import { openStage, resultFor, type Stage } from "./stage.ts";
import { questionId } from "../../handlers/shared/questions/identity.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage("admission");
});
afterAll(() => stage.close());

const claims = async () => Number((await stage.sql`select count(*) as n from question`)[0]?.["n"]);

test("a new question is 503 with the time after which the line is short enough, and leaves no trace", async () => {
  const door = openDoorOn(stage);
  door.faults.waitMs = 60_000;
  expect((await door.ask({ title: newTitle() })).status).toBe(202);
  const before = await claims();
  door.faults.waitMs = 95_200;
  const refused = await door.ask({ title: newTitle() });
  expect(refused.status).toBe(503);
  // The line may be a minute long: in 35.2 s it is, when nobody is let in before.
  expect(refused.headers.get("retry-after")).toBe("36");
  expect(refused.headers.get("content-type")).toBe("application/problem+json");
  expect(refused.body["detail"]).toContain("95 s");
  expect(await claims()).toBe(before);
  expect(door.sent).toHaveLength(1);
  door.faults.waitMs = 0;
  expect((await door.ask({ title: newTitle() })).status).toBe(202);
});

test("what is known is answered, and what waits already is told so, however long the line", async () => {
  const door = openDoorOn(stage);
  const [known, waiting] = [newTitle(), newTitle()];
  await stage.repository.storeResult(resultFor(questionId({ title: known, content: "" })));
  await door.ask({ title: waiting });
  door.faults.waitMs = 1e9;
  expect((await door.ask({ title: known })).body).toMatchObject({ hit: true });
  expect((await door.ask({ title: waiting })).status).toBe(202);
  expect(door.sent).toHaveLength(1);
});
