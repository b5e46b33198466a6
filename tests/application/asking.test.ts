import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CauceError, Unavailable } from "cauce";
import { age, idOf, newTitle, openDoorOn } from "./open-door.ts";
import { openStage, resultFor, type Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage("asking");
});
afterAll(() => stage.close());

const openDoor = (changes: Parameters<typeof openDoorOn>[1] = {}) => openDoorOn(stage, changes);

describe("POST /query", () => {
  test("answers 202 with the id once the broker has the request, which carries everything", async () => {
    const door = openDoor();
    const title = newTitle();
    const { status, body } = await door.ask({ title, content: "", best_answer: "yes" });
    const id = idOf(title);
    expect([status, body]).toEqual([202, { queued: true, id }]);
    expect(door.sent).toMatchObject([
      {
        id: `${id}.1`,
        value: { id, title, content: "", best_answer: "yes", attempts: 0, round: 1, deferrals: 0 },
      },
    ]);
    await stage.repository.settled();
    const [row] = await stage.sql`select published_at from question where id = ${id}`;
    expect(row?.["published_at"]).not.toBeNull();
  });

  test("asked a hundred times at once, in other words of the same, is one message", async () => {
    const door = openDoor();
    const title = newTitle();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, number) =>
        door.ask({ title: number % 2 ? title.toUpperCase() : `  ${title} ` }),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(answers.map(({ body }) => body["id"])).size).toBe(1);
    expect(door.sent).toHaveLength(1);
  });

  test("answers a known question with hit, answer and score, and sends nothing", async () => {
    const door = openDoor();
    const title = newTitle();
    const id = idOf(title);
    await stage.repository.storeResult(resultFor(id, { title }));
    const { status, body } = await door.ask({ title });
    expect(status).toBe(200);
    expect(body).toMatchObject({ hit: true, id, answer: "Yes.", score: 8.5, from: "db", judge: "told" });
    expect(door.sent).toHaveLength(0);
    expect(door.steps).toMatchObject([{ step: "hit", id }]);
  });

  test("asks again, in a new round, for a question that failed or was cancelled", async () => {
    const door = openDoor();
    const title = newTitle();
    const id = idOf(title);
    await door.ask({ title });
    for (const [state, round] of [
      ["failed", 2],
      ["cancelled", 3],
    ] as const) {
      await stage.sql`update question set state = ${state} where id = ${id}`;
      expect((await door.ask({ title })).status).toBe(202);
      expect(door.sent.at(-1)).toMatchObject({ id: `${id}.${round}`, value: { round } });
    }
  });

  test("looks where it is told first, and fills the cache from the database", async () => {
    const door = openDoor({ lookup: ["cache", "db"] });
    const title = newTitle();
    const id = idOf(title);
    await stage.repository.storeResult(resultFor(id, { title }));
    expect((await door.ask({ title })).body).toMatchObject({ hit: true, from: "db" });
    expect((await door.ask({ title })).body).toMatchObject({ hit: true, from: "cache" });
  });

  test("refuses while the broker is away or full, before anything is claimed", async () => {
    for (const fault of [{ connected: false }, { room: false }]) {
      const door = openDoor();
      Object.assign(door.faults, fault);
      const title = newTitle();
      const { status, headers } = await door.ask({ title });
      expect([status, headers.get("retry-after")]).toEqual([503, "5"]);
      expect(await stage.repository.findStatus(idOf(title))).toBeNull();
    }
  });

  test("refuses when the broker does not acknowledge, and keeps the claim for the keeper", async () => {
    const door = openDoor();
    const title = newTitle();
    door.faults.send = new CauceError("possibly_persisted", "no acknowledgement");
    expect((await door.ask({ title })).status).toBe(503);
    delete door.faults.send;
    await door.keeper.tick();
    expect(door.sent).toEqual([]);
    await age(stage, idOf(title));
    await door.keeper.tick();
    expect(door.sent.map(({ id }) => id)).toContain(`${idOf(title)}.1`);
    await door.keeper.close();
  });

  test("is published in the keeper's next round when nothing could be sent", async () => {
    const door = openDoor();
    const title = newTitle();
    door.faults.send = new Unavailable("no broker");
    expect((await door.ask({ title })).status).toBe(503);
    await door.keeper.tick();
    delete door.faults.send;
    await door.keeper.tick();
    expect(door.sent.map(({ id }) => id)).toContain(`${idOf(title)}.1`);
    await door.keeper.close();
  });

  test("ends a question that no broker will ever take", async () => {
    const door = openDoor();
    const title = newTitle();
    door.faults.send = new CauceError("record_too_large", "1,000,001 bytes");
    expect((await door.ask({ title })).status).toBe(413);
    expect((await door.see(idOf(title))).body).toMatchObject({
      state: "failed",
      reason: "1,000,001 bytes",
    });
  });

  test("refuses what is no question, with nothing sent", async () => {
    const door = openDoor();
    for (const body of [
      {},
      { title: 7 },
      { title: " \t " },
      { title: "x".repeat(1_001) },
      { title: "a\u0000b" },
      { title: "a", content: "\ud800" },
      { title: "a", content: null },
      { title: "a", best_answer: "\u0000" },
      [],
    ]) {
      expect((await door.ask(body)).status).toBe(422);
    }
    expect(door.sent).toHaveLength(0);
  });
});
