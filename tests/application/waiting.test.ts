/** Who prefers to wait gets the answer in the same request, when it comes in time. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { patienceOf } from "../../handlers/shared/door/patience.ts";
import { finish, serveDoor, until, type ServeOptions } from "./serve-door.ts";
import { openStage, resultFor, type Stage } from "./stage.ts";

let stage: Stage;
const doors: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  stage = await openStage("waiting");
});
afterEach(() => Promise.all(doors.splice(0).map((door) => door.close())));
afterAll(() => stage.close());

async function open(options: ServeOptions = {}) {
  const door = await serveDoor(stage, options);
  doors.push(door);
  return door;
}

let asked = 0;
const question = () => ({ title: `Waiting for number ${++asked}?` });
const WAIT = { headers: { prefer: "respond-async, wait=60" } };

/** The id of the question that waits now. */
async function waitingId(door: Awaited<ReturnType<typeof open>>): Promise<string> {
  await until("somebody waits", () => door.feed.followers === 1);
  const [row] = await stage.sql<{ id: string }[]>`select id from question order by claimed_at desc limit 1`;
  return row?.id ?? "";
}

describe("POST /query that prefers to wait", () => {
  test("answers with the result when another process stores it, without a hit", async () => {
    const door = await open({ recheckMs: 3_600_000 });
    const waiting = door.ask(question(), WAIT);
    const id = await waitingId(door);
    await finish(stage, id);
    const response = await waiting;
    expect(response.status).toBe(200);
    expect(response.headers.get("preference-applied")).toBe("wait=60");
    expect(await response.json()).toMatchObject({
      hit: false,
      id,
      state: "done",
      answer: "Yes.",
      score: 8.5,
    });
    expect(door.feed.followers).toBe(0);
  });

  test("answers at once when this process itself stores it, before any row is read", async () => {
    const door = await open({ deaf: true, recheckMs: 3_600_000 });
    const waiting = door.ask(question(), { query: "?wait=60" });
    const id = await waitingId(door);
    await stage.repository.storeResult(resultFor(id));
    door.feed.ended(id);
    expect(await (await waiting).json()).toMatchObject({ hit: false, state: "done" });
  });

  test("learns of an end by looking again where announcements and rows are lost", async () => {
    const door = await open({ deaf: true, recheckMs: 20 });
    const waiting = door.ask(question(), WAIT);
    await stage.repository.storeResult(resultFor(await waitingId(door)));
    expect((await waiting).status).toBe(200);
  });

  test("tells a question that failed meanwhile as it is, with its reason", async () => {
    const door = await open({ recheckMs: 20 });
    const waiting = door.ask(question(), WAIT);
    const id = await waitingId(door);
    await stage.repository.failOpenQuestion({ id, round: 1, reason: "the model refused" });
    const response = await waiting;
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ hit: false, state: "failed", reason: "the model refused" });
  });

  test("answers 202 when the patience is over, which the door bounds", async () => {
    const door = await open({ mostPatienceMs: 30 });
    const response = await door.ask(question(), { headers: { prefer: "wait=3600" } });
    expect(response.status).toBe(202);
    expect(response.headers.get("preference-applied")).toBe("wait=0.03");
    expect(await response.json()).toMatchObject({ queued: true });
    expect(door.feed.followers).toBe(0);
  });

  test("answers 202 at once without a preference, and when too many wait already", async () => {
    const door = await open({ mostFollowers: 0 });
    expect((await door.ask(question())).status).toBe(202);
    expect((await door.ask(question(), WAIT)).status).toBe(202);
  });

  test("refuses a wait in the address that cannot be read, and ignores such a preference", async () => {
    const door = await open();
    const refused = await door.ask(question(), { query: "?wait=soon" });
    expect(refused.status).toBe(400);
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    expect((await door.ask(question(), { headers: { prefer: "wait=soon" } })).status).toBe(202);
  });

  test("lets go of everything when the asker hangs up", async () => {
    const door = await open({ recheckMs: 3_600_000 });
    const leave = new AbortController();
    const waiting = fetch(`${door.url}/query?wait=60`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(question()),
      signal: leave.signal,
    }).catch(() => null);
    await until("somebody waits", () => door.feed.followers === 1);
    leave.abort();
    await waiting;
    await until("nobody waits", () => door.feed.followers === 0);
  });
});

test("GET /query/{id} waits in the same way, and tells where it is when the patience is over", async () => {
  const door = await open({ mostPatienceMs: 60_000, recheckMs: 3_600_000 });
  const { id } = (await (await door.ask(question())).json()) as { id: string };
  const impatient = await fetch(`${door.url}/query/${id}`);
  expect(await impatient.json()).toMatchObject({ state: "queued" });
  const waiting = fetch(`${door.url}/query/${id}`, { headers: { prefer: "wait=60" } });
  await until("somebody waits", () => door.feed.followers === 1);
  await finish(stage, id);
  expect(await (await waiting).json()).toMatchObject({ state: "done", answer: "Yes." });
});

test("a request that waits is not cut off by the door's idle limit, which is back with its answer", async () => {
  const door = await open({ limits: { idleMs: 1_000 }, recheckMs: 3_600_000 });
  const { id } = (await (await door.ask(question())).json()) as { id: string };
  const { port } = new URL(door.url);
  const gone = Promise.withResolvers<void>();
  let answer = "";
  await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(port),
    socket: {
      open: (socket) => void socket.write(`GET /query/${id} HTTP/1.1\r\nhost: x\r\nprefer: wait=60\r\n\r\n`),
      data: (_, bytes) => void (answer += bytes.toString()),
      close: () => gone.resolve(),
    },
  });
  // Bun would end an idle connection at the latest four seconds after its limit.
  await Bun.sleep(5_500);
  await finish(stage, id);
  // Nothing more is asked on this connection: the server ends it.
  await gone.promise;
  expect(answer).toContain('"state":"done"');
});

test("a hundred that wait ask the database no more than one that waits", async () => {
  let looks = 0;
  const counting = {
    ...stage,
    repository: {
      ...stage.repository,
      stepsAfter: (options: Parameters<typeof stage.repository.stepsAfter>[0]) => {
        looks++;
        return stage.repository.stepsAfter(options);
      },
    },
  };
  const door = await serveDoor(counting, { recheckMs: 3_600_000 });
  doors.push(door);
  const titles = Array.from({ length: 100 }, question);
  const waiting = titles.map((title) => door.ask(title, WAIT));
  await until("all wait", () => door.feed.followers === 100);
  const before = looks;
  const ids = await stage.sql<{ id: string }[]>`select id from question order by claimed_at desc limit 100`;
  await Promise.all(ids.map(({ id }) => stage.repository.storeResult(resultFor(id))));
  await stage.repository.writeSteps(
    ids.map(({ id }) => ({ id, round: 1, step: "stored", atMs: Date.now(), detail: {} })),
  );
  const answers = await Promise.all(waiting);
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  expect(looks - before).toBeLessThanOrEqual(2);
});

test.each([
  ["", "wait=20", 20_000],
  ["", "respond-async, wait=5; foo=bar", 5_000],
  ["", 'WAIT="7"', 7_000],
  ["", "wait=-1", 0],
  ["", "wait=1e9", 0],
  ["", "wait", 0],
  ["", "wait=99999999999999999999", 0],
  ["", "wait=999999999", 30_000],
  ["?wait=3", "wait=20", 3_000],
  ["?wait=0", "wait=20", 0],
])("patience of %p with Prefer: %p is %d ms", (query, prefer, ms) => {
  const request = new Request(`http://door/query${query}`, { headers: { prefer } });
  expect(patienceOf(request, 30_000)).toEqual({ kind: "ms", ms });
});
