/** `bun run handlers` with nothing configured, as a newcomer meets it. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { freePort } from "../services/port.ts";
import { ask, get, metric, post, question, questions, queue, reaches } from "./asking.ts";
import { clearStage, count, embeddedDatabase, eventually, newStateDir, sql, startCauce } from "./stage.ts";

/** Longer than any wait of the stage, so that a wait that was in vain is told. */
setDefaultTimeout(240_000);

afterEach(clearStage);

const RESULTS = "select count(*) from response_event";

describe("one process on the embedded defaults", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`answers a question, ends with code 0 on ${signal}, and has the answer after a restart`, async () => {
      const stateDir = newStateDir();
      const cauce = startCauce({ stateDir });
      const door = await cauce.door();
      const asked = question("Lindau", 1);
      const id = await queue(door, asked);
      const { answer, score } = await reaches(door, id, "done");
      expect(answer).toContain("Forty 1 boats");
      const hit = await ask(door, asked);
      expect(hit).toMatchObject({ status: 200, body: { hit: true, id, answer, score } });
      expect(await cauce.end(signal)).toBe(0);
      expect(cauce.lines().at(-1)?.event).toBe("stopped");

      const again = await startCauce({ stateDir }).door();
      expect(await ask(again, asked)).toMatchObject({ status: 200, body: { hit: true, from: "db", answer } });
    });
  }

  test("tells where a question is, from waiting to done, and says of an unknown one that it is unknown", async () => {
    const script = JSON.stringify([{ match: "boats of Lindau", replies: ["rate_limit:2s"] }]);
    const door = await startCauce({ settings: { OFFLINE_SCRIPT: script } }).door();
    const id = await queue(door, question("Lindau", 1));
    const waiting = await reaches(door, id, "waiting");
    expect(waiting).toMatchObject({ reason: "rate_limit" });
    expect(Date.parse(waiting.waiting_until ?? "")).toBeGreaterThan(Date.now() - 60_000);
    expect(await reaches(door, id, "done")).toMatchObject({ state: "done", id });
    expect((await get(door, `/query/${"0".repeat(32)}`)).status).toBe(404);
    expect((await get(door, "/query/x")).status).toBe(400);
  });

  test("makes one request of a question that is asked a hundred times at once", async () => {
    const stateDir = newStateDir();
    const door = await startCauce({ stateDir }).door();
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(door, question("Bregenz", 1))));
    const ids = new Set(answers.map(({ body }) => body.id));
    expect(ids.size).toBe(1);
    const [id = ""] = ids;
    for (const { status } of answers) expect([200, 202]).toContain(status);
    await reaches(door, id, "done");
    const database = embeddedDatabase(stateDir);
    expect(await sql(database, "select question_hash, round from response_event")).toEqual([
      { question_hash: id, round: 1 },
    ]);
    // One message went through the pipeline, not one that was recognised as a repeat at its end.
    expect(await metric(door, 'cauce_handler_outcomes_total{handler="llm.requests",outcome="done"}')).toBe(1);
  });

  test("refuses bad bodies with problem details that name the fields, and publishes nothing", async () => {
    const stateDir = newStateDir();
    const door = await startCauce({ stateDir }).door();
    const good = question("Konstanz", 1);
    const deep = `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`;
    const bodies: readonly (readonly [string, number, string | null])[] = [
      ['{"title": "x', 400, null],
      ["[]", 422, null],
      ["null", 422, null],
      ["", 422, null],
      [JSON.stringify({ ...good, title: 7 }), 422, "title"],
      [JSON.stringify({ ...good, content: null }), 422, "content"],
      [JSON.stringify({ content: "x" }), 422, "title"],
      [JSON.stringify({ ...good, title: "" }), 422, "title"],
      [JSON.stringify({ ...good, title: "a\u0000b" }), 400, "title"],
      [String.raw`{"title": "a\ud800b", "content": "", "best_answer": ""}`, 400, "title"],
      [JSON.stringify({ ...good, content: "x".repeat(10_000_000) }), 413, null],
      [deep, 400, null],
      [`{"title": "x", "content": "", "best_answer": "", "__proto__": {"admin": true}}`, 400, null],
    ];
    for (const [body, status, field] of bodies) {
      const answer = await post(door, body);
      const about = `${body.slice(0, 60)} → ${JSON.stringify(answer.body)}`;
      expect(answer.status, about).toBe(status);
      expect(answer.headers.get("content-type"), about).toBe("application/problem+json");
      expect(answer.body.title, about).toBeString();
      if (field !== null) expect(JSON.stringify(answer.body), about).toContain(field);
    }
    const invalidUtf8 = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    expect((await post(door, invalidUtf8)).status).toBe(400);
    expect((await post(door, JSON.stringify(good), "text/plain")).status).toBe(415);

    expect(await count(embeddedDatabase(stateDir), "select count(*) from question")).toBe(0);
    // It still works, and what it publishes is that one question alone.
    await reaches(door, await queue(door, good), "done");
    expect(await count(embeddedDatabase(stateDir), RESULTS)).toBe(1);
  });
});

describe("two processes on one state folder", () => {
  test("started at once both come up with one door, share the work, and one goes on when the other is killed", async () => {
    const stateDir = newStateDir();
    const port = String(freePort());
    const pair = [
      startCauce({ stateDir, settings: { PORT: port } }),
      startCauce({ stateDir, settings: { PORT: port } }),
    ];
    const doors = await Promise.all(pair.map((cauce) => cauce.up()));
    const open = doors.filter((door) => door !== null);
    expect(open).toHaveLength(1);
    const [door = ""] = open;
    const [keeper, other] = doors[0] === null ? [pair[1], pair[0]] : pair;
    await other?.said("another Cauce has the door; this process works without one");
    const ids = await Promise.all(questions("Wangen", 20).map((asked) => queue(door, asked)));
    await other?.kill();
    const more = await Promise.all(questions("Isny", 20).map((asked) => queue(door, asked)));
    for (const id of [...ids, ...more]) await reaches(door, id, "done");
    await eventually("forty results", async () => (await count(embeddedDatabase(stateDir), RESULTS)) === 40);
    expect(await keeper?.end("SIGINT")).toBe(0);
  });
});
