import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { deadRepository, idOf, newTitle, openDoorOn } from "./open-door.ts";
import { openStage, resultFor, type Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage("status");
});
afterAll(() => stage.close());

const openDoor = (changes: Parameters<typeof openDoorOn>[1] = {}) => openDoorOn(stage, changes);

describe("GET /query/{id}", () => {
  test("tells the state, since when, and the round", async () => {
    const door = openDoor();
    const title = newTitle();
    const id = idOf(title);
    await door.ask({ title });
    const { status, body } = await door.see(id);
    expect(status).toBe(200);
    expect(body).toMatchObject({ id, title, state: "queued", round: 1 });
    expect(Date.parse(String(body["since"]))).toBeGreaterThan(0);
  });

  test("tells until when and why it waits", async () => {
    const door = openDoor();
    const title = newTitle();
    const id = idOf(title);
    await door.ask({ title });
    const atMs = Date.now() + 60_000;
    const waiting = { reason: "rate_limit", untilMs: atMs + 2_000 };
    await stage.repository.writeSteps([
      { id, round: 1, step: "waiting", atMs, detail: {}, state: "waiting", waiting },
    ]);
    expect((await door.see(id)).body).toMatchObject({
      state: "waiting",
      reason: "rate_limit",
      waiting_until: new Date(atMs + 2_000).toISOString(),
    });
  });

  test("tells the result of a done question and the reason of a failed one", async () => {
    const door = openDoor();
    const [done, failed] = [newTitle(), newTitle()];
    await door.ask({ title: done });
    await stage.repository.storeResult(resultFor(idOf(done), { title: done }));
    expect((await door.see(idOf(done))).body).toMatchObject({
      state: "done",
      answer: "Yes.",
      score: 8.5,
    });
    await door.ask({ title: failed });
    await stage.repository.failOpenQuestion({ id: idOf(failed), round: 1, reason: "it died" });
    expect((await door.see(idOf(failed))).body).toMatchObject({ state: "failed", reason: "it died" });
  });

  test("is 404 for a question nobody asked and 400 for what is no id", async () => {
    const door = openDoor();
    expect((await door.see("f".repeat(32))).status).toBe(404);
    expect((await door.see("nonsense")).status).toBe(400);
    expect((await door.see("%27%20or%201=1")).status).toBe(400);
  });
});

describe("with Postgres away", () => {
  test("a question that the cache knows is answered still", async () => {
    for (const lookup of [
      ["db", "cache"],
      ["cache", "db"],
    ] as ("db" | "cache")[][]) {
      const door = openDoor({ repository: deadRepository(), lookup });
      const title = newTitle();
      const id = idOf(title);
      door.cached.set(id, { ...resultFor(id), judge: "told", created_at: "2026-01-01T00:00:00.000Z" });
      expect((await door.ask({ title })).body).toMatchObject({ hit: true, from: "cache", answer: "Yes." });
      expect((await door.see(id)).body).toMatchObject({ state: "done", answer: "Yes." });
    }
  });

  test("any other question is 503 with Retry-After, and nothing is sent", async () => {
    const door = openDoor({ repository: deadRepository() });
    const title = newTitle();
    const { status, headers, body } = await door.ask({ title });
    expect([status, headers.get("retry-after")]).toEqual([503, "5"]);
    expect(JSON.stringify(body)).not.toContain("nobody");
    expect((await door.see(idOf(title))).status).toBe(503);
    expect(door.sent).toHaveLength(0);
  });
});
