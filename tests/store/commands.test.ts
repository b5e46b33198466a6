/** `cauce schedule` and `cauce redrive` on a real Postgres. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { systemClock, type Clock } from "../../runtime/ground/clock.ts";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import { runRedrive, type RedriveStep } from "../../runtime/store/redrive-command.ts";
import { runSchedule, type ScheduleChoice } from "../../runtime/store/schedule-command.ts";
import { createDatabase } from "../services/postgres.ts";
import { freePort } from "../services/port.ts";
import { claimAll } from "./contract.ts";
import { bytes, letter, message } from "./messages.ts";

let url: string;
let store: PostgresStore;
let sql: postgres.Sql;
beforeAll(async () => {
  url = await createDatabase("store_commands");
  store = await createPostgresStore({ url, app: "shop" });
  sql = postgres(url, { max: 1, onnotice: () => undefined });
});
afterAll(async () => {
  await store.close();
  await sql.end();
});

async function show(choice: ScheduleChoice = {}) {
  const lines: string[] = [];
  const code = await runSchedule({
    url,
    schema: "cauce",
    app: "shop",
    choice,
    write: (line) => lines.push(line),
  });
  return { code, lines, text: lines.join("\n") };
}

describe("schedule", () => {
  test("of an empty one says that nothing waits", async () => {
    expect(await show()).toMatchObject({
      code: 0,
      lines: ["What waits: nothing", "", "Dead letters: nothing"],
    });
  });

  test("shows what waits, what is due first and what died, and lists by choice, whatever the bytes", async () => {
    const record = {
      topic: "mails",
      key: bytes("k\u001B[2J"),
      value: new Uint8Array([0xff, 0]),
      headers: [],
    };
    await store.schedule([
      message({ messageId: "s1", handler: "welcome", delayMs: 60_000, record, reason: "MailboxFull" }),
      message({ messageId: "s2", topic: "orders", delayMs: 90_000 }),
    ]);
    await store.bury([letter({ messageId: "l1", handler: "welcome", cause: "TypeError" })]);
    const { text } = await show();
    expect(text).toMatch(/mails +\| MailboxFull \| 1/);
    expect(text).toMatch(/Due first\n.*\n.*\n.*mails/);
    expect(text).toMatch(/welcome \| TypeError \| 1/);
    expect(text).not.toContain("\u001B");
    expect((await show({ topic: "orders" })).text).toMatch(/orders(?![^]*mails)/);
    expect((await show({ handler: "welcome" })).text).toContain(String.raw`\377\000`);
    expect((await show({ parked: true })).lines).toEqual(["Parked: edit or cancel them with SQL: nothing"]);
    expect((await show({ dead: true, reason: "TypeError" })).text).toMatch(/welcome .* TypeError/);
    expect((await show({ dead: true, reason: "Other" })).lines).toEqual([
      "Dead letters, the latest first: nothing",
    ]);
  });

  test.each(["x' or '1'='1", "'; drop schema cauce cascade; --", "%", '"', "\\'; select 1; --"])(
    "takes a choice of %s for a name that nothing has",
    async (evil) => {
      for (const name of ["topic", "handler", "key", "reason"] as const)
        for (const dead of [false, true])
          expect((await show({ [name]: evil, dead })).lines.join()).toContain(": nothing");
      // And everything is there still.
      expect((await show()).text).toMatch(/mails +\| MailboxFull \| 1/);
    },
  );

  test("shows it anew until it is told to stop", async () => {
    const stop = new AbortController();
    let shown = 0;
    const clear = () => void (++shown === 3 && stop.abort());
    const watch = { everyMs: 1, signal: stop.signal, clear };
    expect(
      await runSchedule({ url, schema: "cauce", app: "shop", choice: {}, watch, write: () => undefined }),
    ).toBe(0);
    expect(shown).toBe(3);
  });

  test("says what is wrong with an address, a database that is away, and one without tables", async () => {
    const told = async (address: string) => {
      const lines: string[] = [];
      const write = (line: string) => lines.push(line);
      return {
        code: await runSchedule({ url: address, schema: "cauce", app: "shop", choice: {}, write }),
        text: lines.join("\n"),
      };
    };
    expect(await told("nonsense://:::")).toMatchObject({ code: 1, text: expect.stringContaining("address") });
    expect(await told(`postgres://u:s3cret@127.0.0.1:${freePort()}/x`)).toMatchObject({
      code: 1,
      text: expect.not.stringContaining("s3cret"),
    });
    const bare = await createDatabase("store_commands_bare");
    expect(await told(bare)).toMatchObject({
      code: 1,
      text: expect.stringContaining("when the handlers start"),
    });
  });
});

describe("redrive", () => {
  const dead = (messageId: string, cause = "TypeError") =>
    letter({
      messageId,
      handler: "billing",
      cause,
      record: { topic: "orders", key: bytes(messageId), value: bytes("{}"), headers: [] },
    });
  async function redrive(
    step: RedriveStep,
    more: { readonly cause?: string; readonly clock?: Clock; readonly signal?: AbortSignal } = {},
  ) {
    const { cause, clock = systemClock, signal = new AbortController().signal } = more;
    const lines: string[] = [];
    const choice = { handler: "billing", ...(cause !== undefined && { cause }) };
    const write = (line: string) => lines.push(line);
    const code = await runRedrive({ url, schema: "cauce", app: "shop", choice, step, signal, write, clock });
    return { code, lines, text: lines.join("\n") };
  }
  const resting = async () =>
    Number(
      (
        await sql`SELECT count(*) FROM cauce.dead_letter WHERE handler = 'billing' AND redriven_at IS NULL`
      )[0]?.["count"],
    );
  /** Time passes at once; what happens between two pauses is told. */
  const quick = (paused: () => void): Clock => ({
    ...systemClock,
    after(_, call) {
      paused();
      queueMicrotask(call);
      return () => undefined;
    },
  });

  test("first says what it would do, then does a few, then all at its rate", async () => {
    await store.bury([...Array(7).keys()].map((at) => dead(`a${at}`, at < 2 ? "Timeout" : "TypeError")));
    const dry = await redrive({ kind: "dry run" });
    expect(dry.text).toMatch(
      /billing \| TypeError \| 5[^]*billing \| Timeout +\| 2[^]*7 would be sent again[^]*nothing was sent/,
    );
    expect(await resting()).toBe(7);
    expect((await redrive({ kind: "canary", count: 1 }, { cause: "Timeout" })).text).toContain(
      "1 of 2 dead letters",
    );
    expect((await claimAll(store, ["orders.billing.retry"])).map(({ messageId }) => messageId)).toEqual([
      "a0",
    ]);
    let pauses = 0;
    const all = await redrive({ kind: "all", perSecond: 2 }, { clock: quick(() => pauses++) });
    expect(all).toMatchObject({ code: 0, lines: ["2 of 6", "4 of 6", "6 of 6", "6 were sent"] });
    expect(pauses).toBe(3);
    expect(await resting()).toBe(0);
    expect((await redrive({ kind: "dry run" })).text).toContain("nothing to do");
  });

  test("that is stopped leaves what was not sent at rest", async () => {
    await store.bury([...Array(5).keys()].map((at) => dead(`b${at}`)));
    const stop = new AbortController();
    const all = await redrive(
      { kind: "all", perSecond: 2 },
      { clock: quick(() => stop.abort()), signal: stop.signal },
    );
    expect(all).toMatchObject({
      code: 0,
      lines: ["2 of 5", "stopped: 2 were sent, the others rest as before"],
    });
    expect(await resting()).toBe(3);
  });
});
