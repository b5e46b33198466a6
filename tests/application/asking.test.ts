import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CauceError, Unavailable } from "cauce";
import type { Client } from "cauce/run";
import type { ResultCache } from "../../handlers/shared/cache.ts";
import { createKeeper } from "../../handlers/shared/keeper.ts";
import { questionId } from "../../handlers/shared/questions/identity.ts";
import { questionRoutes } from "../../handlers/shared/routes.ts";
import { openDatabase } from "../../handlers/shared/storage/database.ts";
import { createRepository, type Repository } from "../../handlers/shared/storage/repository.ts";
import type { Result } from "../../handlers/shared/storage/results.ts";
import type { QuestionStep } from "../../handlers/shared/storage/steps.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { Elysia } from "../../runtime/ingress/routes.ts";
import { freePort } from "../services/port.ts";
import { openStage, resultFor, type Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage("asking");
});
afterAll(() => stage.close());

/** A door with the application's routes, a client that keeps what it is given, and switches for faults. */
function openDoor(changes: { readonly repository?: Repository; readonly lookup?: ("db" | "cache")[] } = {}) {
  const sent: { id: string; value: Readonly<Record<string, unknown>> }[] = [];
  const steps: QuestionStep[] = [];
  const cached = new Map<string, Result>();
  const faults: { send?: Error; room: boolean; connected: boolean; generation: string | null } = {
    room: true,
    connected: true,
    generation: null,
  };
  const client: Client = {
    send(_topic, value, options) {
      if (faults.send) return Promise.reject(faults.send);
      const id = options?.id ?? "";
      sent.push({ id, value: value as Readonly<Record<string, unknown>> });
      return Promise.resolve(id);
    },
  };
  const cache: ResultCache = {
    get: (id) => Promise.resolve(cached.get(id) ?? null),
    put: (result) => Promise.resolve(void cached.set(result.id, result)),
  };
  const broker = {
    get generation() {
      return faults.generation;
    },
    hasRoom: () => faults.room,
    connected: () => faults.connected,
  };
  const repository = changes.repository ?? stage.repository;
  const options = { client, repository, cache, broker, clock: systemClock };
  const routes = questionRoutes({
    ...options,
    lookup: changes.lookup ?? ["db", "cache"],
    journal: { note: (noted) => void steps.push(...noted) },
  });
  const door = routes(new Elysia());
  const keeper = createKeeper({
    ...options,
    log: silentLog,
    everyMs: 3_600_000,
    graceMs: 60_000,
    greatestAgeMs: 3_600_000,
  });
  return {
    sent,
    steps,
    cached,
    faults,
    keeper,
    async ask(body: unknown) {
      const request = new Request("http://door/query", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      return read(await door.handle(request));
    },
    see: async (id: string) => read(await door.handle(new Request(`http://door/query/${id}`))),
  };
}

async function read(response: Response) {
  const body = (await response.json()) as Readonly<Record<string, unknown>>;
  return { status: response.status, headers: response.headers, body };
}

let asked = 0;
const newTitle = () => `Asked number ${++asked}?`;
const idOf = (title: string) => questionId({ title, content: "" });
/** As if the claim had been made, and its process killed, a while ago. */
const age = (id: string) =>
  stage.sql`update question set publish_tried_at = now() - interval '2 minutes' where id = ${id}`;
/** Nobody listens there. */
const deadRepository = () =>
  createRepository(
    openDatabase({ url: `postgres://nobody@127.0.0.1:${freePort()}/none`, deadlineMs: 2_000 }),
  );

describe("POST /query", () => {
  test("answers 202 with the id once the broker has the request, which carries everything", async () => {
    const door = openDoor();
    const title = newTitle();
    const { status, body } = await door.ask({ title, content: "", best_answer: "yes" });
    const id = await idOf(title);
    expect([status, body]).toEqual([202, { queued: true, id }]);
    expect(door.sent).toMatchObject([
      {
        id: `${id}.1`,
        value: { id, title, content: "", best_answer: "yes", attempts: 0, round: 1, deferrals: 0 },
      },
    ]);
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
    const id = await idOf(title);
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
    const id = await idOf(title);
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
    const id = await idOf(title);
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
      expect(await stage.repository.findStatus(await idOf(title))).toBeNull();
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
    await age(await idOf(title));
    await door.keeper.tick();
    expect(door.sent.map(({ id }) => id)).toContain(`${await idOf(title)}.1`);
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
    expect(door.sent.map(({ id }) => id)).toContain(`${await idOf(title)}.1`);
    await door.keeper.close();
  });

  test("ends a question that no broker will ever take", async () => {
    const door = openDoor();
    const title = newTitle();
    door.faults.send = new CauceError("record_too_large", "1,000,001 bytes");
    expect((await door.ask({ title })).status).toBe(413);
    expect((await door.see(await idOf(title))).body).toMatchObject({
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

describe("with Postgres away", () => {
  test("a question that the cache knows is answered still", async () => {
    for (const lookup of [
      ["db", "cache"],
      ["cache", "db"],
    ] as ("db" | "cache")[][]) {
      const door = openDoor({ repository: deadRepository(), lookup });
      const title = newTitle();
      const id = await idOf(title);
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
    expect((await door.see(await idOf(title))).status).toBe(503);
    expect(door.sent).toHaveLength(0);
  });
});

describe("GET /query/{id}", () => {
  test("tells the state, since when, and the round", async () => {
    const door = openDoor();
    const title = newTitle();
    const id = await idOf(title);
    await door.ask({ title });
    const { status, body } = await door.see(id);
    expect(status).toBe(200);
    expect(body).toMatchObject({ id, title, state: "queued", round: 1 });
    expect(Date.parse(String(body["since"]))).toBeGreaterThan(0);
  });

  test("tells until when and why it waits", async () => {
    const door = openDoor();
    const title = newTitle();
    const id = await idOf(title);
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
    await stage.repository.storeResult(resultFor(await idOf(done), { title: done }));
    expect((await door.see(await idOf(done))).body).toMatchObject({
      state: "done",
      answer: "Yes.",
      score: 8.5,
    });
    await door.ask({ title: failed });
    await stage.repository.failOpenQuestion({ id: await idOf(failed), round: 1, reason: "it died" });
    expect((await door.see(await idOf(failed))).body).toMatchObject({ state: "failed", reason: "it died" });
  });

  test("is 404 for a question nobody asked and 400 for what is no id", async () => {
    const door = openDoor();
    expect((await door.see("f".repeat(32))).status).toBe(404);
    expect((await door.see("nonsense")).status).toBe(400);
    expect((await door.see("%27%20or%201=1")).status).toBe(400);
  });
});

describe("the keeper", () => {
  test("publishes what a dead process claimed and never published, under the same id, once", async () => {
    const title = newTitle();
    const id = await idOf(title);
    await stage.repository.claim({ id, title, content: "c", best_answer: "b" }, null);
    await age(id);
    const doors = [openDoor(), openDoor(), openDoor()];
    await Promise.all(doors.map((door) => door.keeper.tick()));
    const sent = doors.flatMap((door) => door.sent).filter((message) => message.id.startsWith(id));
    expect(sent).toMatchObject([
      { id: `${id}.1`, value: { id, title, content: "c", best_answer: "b", round: 1 } },
    ]);
    await age(id);
    await doors[0]?.keeper.tick();
    expect(doors.flatMap((door) => door.sent).filter((message) => message.id.startsWith(id))).toHaveLength(1);
    await Promise.all(doors.map((door) => door.keeper.close()));
  });

  test("publishes everything again that an embedded broker has lost", async () => {
    const title = newTitle();
    const id = await idOf(title);
    const door = openDoor();
    door.faults.generation = "first";
    await door.ask({ title });
    await door.keeper.tick();
    expect(door.sent.filter((message) => message.id.startsWith(id))).toHaveLength(1);
    door.faults.generation = "second";
    await door.keeper.tick();
    await door.keeper.tick();
    expect(door.sent.filter((message) => message.id === `${id}.1`)).toHaveLength(2);
    await door.keeper.close();
  });

  test("goes on with its other duties when one of them fails", async () => {
    const door = openDoor({ repository: deadRepository() });
    await door.keeper.tick();
    await door.keeper.close();
  });
});
