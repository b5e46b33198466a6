/** The steps of a question as server-sent events. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { converse } from "../attacks/converse.ts";
import { finish, serveDoor, until, writeStep, type ServeOptions } from "./serve-door.ts";
import { newQuestion, openStage, resultFor, type Stage } from "./stage.ts";

let stage: Stage;
const doors: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  stage = await openStage("events");
});
afterEach(() => Promise.all(doors.splice(0).map((door) => door.close())));
afterAll(() => stage.close());

async function open(options: ServeOptions = {}) {
  const door = await serveDoor(stage, options);
  doors.push(door);
  return door;
}

async function claimed(): Promise<string> {
  const asked = newQuestion();
  await stage.repository.claim(asked, null);
  await writeStep(stage, asked.id, "queued");
  return asked.id;
}

interface Event {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Reads a stream event by event. Comments are counted. */
async function follow(url: string, lastEventId?: string) {
  const leave = new AbortController();
  const response = await fetch(url, {
    signal: leave.signal,
    ...(lastEventId !== undefined && { headers: { "last-event-id": lastEventId } }),
  });
  const events: Event[] = [];
  const comments: string[] = [];
  let rest = "";
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const more = async (): Promise<boolean> => {
    const read = await reader?.read();
    if (!read || read.done) return false;
    const blocks = (rest + read.value).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split("\n");
      const of = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (lines.every((line) => line.startsWith(":"))) comments.push(block);
      const event = of("event");
      if (event !== undefined)
        events.push({ id: of("id"), event, data: JSON.parse(of("data") ?? "{}") as Event["data"] });
    }
    return true;
  };
  return {
    response,
    events,
    names: () => events.map(({ event }) => event),
    comments: () => comments.length,
    leave: () => leave.abort(),
    async readUntil(event: string) {
      while (!events.some((one) => one.event === event))
        if (!(await more())) throw new Error(`ended without ${event}`);
    },
    async readComment() {
      const before = comments.length;
      do if (!(await more())) throw new Error("ended");
      while (comments.length === before);
    },
    async readToEnd() {
      while (await more());
    },
  };
}

describe("GET /query/{id}/events", () => {
  test("tells what has happened, then each step as it happens, then the end", async () => {
    const door = await open({ recheckMs: 3_600_000 });
    const id = await claimed();
    const stream = await follow(`${door.url}/query/${id}/events`);
    expect(stream.response.headers.get("content-type")).toStartWith("text/event-stream");
    expect(stream.response.headers.get("cache-control")).toBe("no-store");
    await stream.readUntil("queued");
    await writeStep(stage, id, "generating", { attempt: 1 });
    await stream.readUntil("generating");
    await writeStep(stage, id, "answered", { attempts: 1, model: "told-1" });
    await finish(stage, id);
    await stream.readToEnd();
    expect(stream.names()).toEqual(["queued", "generating", "answered", "stored", "end"]);
    expect(stream.events[1]?.data).toMatchObject({ step: "generating", round: 1, attempt: 1 });
    expect(stream.events.at(-1)?.data).toMatchObject({ id, state: "done", answer: "Yes." });
    const ids = stream.events.slice(0, -1).map((event) => Number(event.id));
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(door.feed.followers).toBe(0);
  });

  test("goes on after the last event that was read, at another process and after a restart", async () => {
    const first = await open();
    const id = await claimed();
    const before = await follow(`${first.url}/query/${id}/events`);
    await before.readUntil("queued");
    await first.close();
    await before.readToEnd();
    expect(before.names()).toEqual(["queued"]);
    await writeStep(stage, id, "generating");
    const second = await open({ recheckMs: 3_600_000 });
    const after = await follow(`${second.url}/query/${id}/events`, before.events[0]?.id);
    await after.readUntil("generating");
    await finish(stage, id);
    await after.readToEnd();
    expect(after.names()).toEqual(["generating", "stored", "end"]);
  });

  test("tells no step twice and leaves none out, whenever a reader comes", async () => {
    const door = await open({ recheckMs: 3_600_000 });
    const id = await claimed();
    const streams = [];
    for (let n = 0; n < 20; n++) {
      const wrote = writeStep(stage, id, "generating", { attempt: n + 1 });
      streams.push(await follow(`${door.url}/query/${id}/events`));
      await wrote;
    }
    await finish(stage, id);
    for (const stream of streams) {
      await stream.readToEnd();
      const attempts = stream.events.flatMap(({ event, data }) =>
        event === "generating" ? [data["attempt"]] : [],
      );
      expect(attempts).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    }
  });

  test("reads on by looking again where announcements are lost", async () => {
    const door = await open({ deaf: true, recheckMs: 20 });
    const id = await claimed();
    const stream = await follow(`${door.url}/query/${id}/events`);
    await stream.readUntil("queued");
    await finish(stage, id);
    await stream.readToEnd();
    expect(stream.names()).toEqual(["queued", "stored", "end"]);
  });

  test("ends although the row of the last step was lost", async () => {
    const door = await open({ recheckMs: 20 });
    const id = await claimed();
    const stream = await follow(`${door.url}/query/${id}/events`);
    await stream.readUntil("queued");
    await stage.repository.storeResult(resultFor(id));
    await stream.readToEnd();
    expect(stream.names()).toEqual(["queued", "end"]);
  });

  test("answers 204 to a reader that has the end already, so that browsers do not come back", async () => {
    const door = await open();
    const id = await claimed();
    await finish(stage, id);
    const all = await follow(`${door.url}/query/${id}/events`);
    await all.readToEnd();
    const last = all.events.findLast((event) => event.id !== undefined)?.id;
    expect((await follow(`${door.url}/query/${id}/events`, last)).response.status).toBe(204);
    expect((await follow(`${door.url}/query/${id}/events`, "nonsense")).response.status).toBe(200);
  });

  test("stays open through quiet times, with comments, longer than the door's idle limit", async () => {
    const door = await open({ limits: { idleMs: 1_000 }, heartbeatMs: 2_000 });
    const stream = await follow(`${door.url}/query/${await claimed()}/events`);
    for (let quiet = 0; quiet < 3; quiet++) await stream.readComment();
    expect(stream.comments()).toBeGreaterThanOrEqual(3);
    stream.leave();
  });

  test("stays open without any comment too", async () => {
    const door = await open({ limits: { idleMs: 1_000 }, heartbeatMs: 3_600_000 });
    const id = await claimed();
    const stream = await follow(`${door.url}/query/${id}/events`);
    await stream.readUntil("queued");
    await Bun.sleep(5_500);
    await finish(stage, id);
    await stream.readToEnd();
    expect(stream.names()).toEqual(["queued", "stored", "end"]);
  });

  test("ends its connection with it, which has no idle limit any more and would stay for ever", async () => {
    const door = await open({ limits: { idleMs: 1_000 } });
    const id = await claimed();
    await finish(stage, id);
    const bytes = `GET /query/${id}/events HTTP/1.1\r\nhost: x\r\n\r\n`;
    expect((await converse(door.url, bytes, "end")).closed).toBe(true);
  });

  test("lets go of everything when the reader hangs up", async () => {
    const door = await open({ recheckMs: 3_600_000 });
    const stream = await follow(`${door.url}/query/${await claimed()}/events`);
    await stream.readUntil("queued");
    expect(door.feed.followers).toBe(1);
    stream.leave();
    await until("nobody follows", () => door.feed.followers === 0);
  });

  test("lets go of a reader that takes nothing any more", async () => {
    const door = await open({ recheckMs: 3_600_000 });
    const id = await claimed();
    const stream = await follow(`${door.url}/query/${id}/events`);
    const model = "m".repeat(100_000);
    await until("the reader is cut off", async () => {
      await writeStep(stage, id, "answered", { model });
      return door.feed.followers === 0;
    });
    stream.leave();
  });

  test("does not tell what a model or a database said of its errors", async () => {
    const door = await open({ recheckMs: 3_600_000 });
    const id = await claimed();
    await writeStep(stage, id, "error", { error_type: "timeout", message: "canary", error: "canary" });
    await finish(stage, id);
    const stream = await follow(`${door.url}/query/${id}/events`);
    await stream.readToEnd();
    expect(stream.events.find(({ event }) => event === "error")?.data).toMatchObject({
      error_type: "timeout",
    });
    expect(JSON.stringify(stream.events)).not.toContain("canary");
  });

  test("is 404 for a question that nobody asked, 400 for what is no id, 503 when too many follow", async () => {
    const door = await open({ mostFollowers: 0 });
    const statusOf = async (id: string) => (await fetch(`${door.url}/query/${id}/events`)).status;
    expect(await statusOf("f".repeat(32))).toBe(404);
    expect(await statusOf("nonsense")).toBe(400);
    expect(await statusOf(await claimed())).toBe(503);
  });

  test("HEAD opens no stream", async () => {
    const door = await open();
    const response = await fetch(`${door.url}/query/${await claimed()}/events`, { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(door.feed.followers).toBe(0);
  });
});

test("rows of many writers become visible in the order of their ids", async () => {
  const id = await claimed();
  let seen = 0n;
  const read: bigint[] = [];
  const writing = new AbortController();
  const reading = (async () => {
    while (!writing.signal.aborted) {
      const { steps, seen: upTo } = await stage.repository.stepsAfter({
        ids: [id],
        after: seen,
        limit: 1_000,
      });
      seen = upTo;
      read.push(...steps.map(({ row }) => row));
    }
  })();
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      for (let n = 0; n < 30; n++) await writeStep(stage, id, "generating", { attempt: n });
    }),
  );
  writing.abort();
  await reading;
  const { steps } = await stage.repository.stepsAfter({ ids: [id], after: seen, limit: 1_000 });
  read.push(...steps.map(({ row }) => row));
  const [all] = await stage.sql<
    { count: string }[]
  >`select count(*) from question_step where question_hash = ${id}`;
  expect(read).toHaveLength(Number(all?.count));
});

test("a writer that was held up after its rows had their ids holds up all later ones", async () => {
  const [held, other] = [await claimed(), await claimed()];
  const step = (id: string) =>
    ({ id, round: 1, step: "generating", atMs: Date.now() + 1_000, detail: {} }) as const;
  const waiting = async () => {
    const [found] = await stage.sql<
      { count: number }[]
    >`select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return found?.count ?? 0;
  };
  const rowsOfOther = async () =>
    (await stage.repository.stepsAfter({ ids: [other], after: 0n, limit: 10 })).steps.length;
  const before = await rowsOfOther();
  const writers: Promise<void>[] = [];
  await stage.sql.begin(async (tx) => {
    await tx`select from question where id = ${held} for update`;
    writers.push(stage.repository.writeSteps([{ ...step(held), state: "generating" }]));
    await until("the first waits for the row", async () => (await waiting()) === 1);
    writers.push(stage.repository.writeSteps([step(other)]));
    await until(
      "the second waits, or was written",
      async () => (await waiting()) === 2 || (await rowsOfOther()) > before,
    );
    expect(await rowsOfOther()).toBe(before);
  });
  await Promise.all(writers);
  expect(await rowsOfOther()).toBe(before + 1);
});
