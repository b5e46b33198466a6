/** Fences on a real Postgres: what people may do to them, and what keeps a key from being blocked for ever. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import type { DueMessage } from "../../runtime/store/store.ts";
import { createDatabase } from "../services/postgres.ts";
import { claimAll } from "./contract.ts";
import { editByHand } from "./hands.ts";
import { bytes, message } from "./messages.ts";

let url: string;
let sql: postgres.Sql;
beforeAll(async () => {
  url = await createDatabase("store_fences");
  sql = postgres(url, { max: 4, onnotice: () => undefined });
});
afterAll(() => sql.end());

const of = (messageId: string, key = "k") =>
  message({
    messageId,
    delivery: 1,
    record: { topic: "t", key: bytes(key), value: bytes(messageId), headers: [] },
  });

test("a held message that a person deletes is cancelled, and those behind it keep their order", async () => {
  const store = await createPostgresStore({ url, app: "cancel" });
  await store.fences.raise([of("a")]);
  for (const id of ["b", "c", "d"]) await store.fences.hold(of(id));
  const gone = await sql`
    DELETE FROM cauce.held USING cauce.fence f WHERE f.id = fence AND f.app = 'cancel' AND message_id = 'c' RETURNING held.turn`;
  expect(gone.length).toBe(1);
  const came: string[] = [];
  for (let due = await claimAll(store, ["t"]); due.length > 0; due = await claimAll(store, ["t"])) {
    for (const { messageId, place } of due) {
      came.push(messageId);
      if (place) await store.fences.pass(place);
    }
  }
  expect(came).toEqual(["a", "b", "d"]);
  expect(await store.fences.keys("h", 10)).toEqual([]);
  await store.close();
});

test("a held message that was let go and is deleted before it is published does not come", async () => {
  const store = await createPostgresStore({ url, app: "cancel2" });
  await store.fences.raise([of("a")]);
  for (const id of ["b", "c"]) await store.fences.hold(of(id));
  const [a] = await claimAll(store, ["t"]);
  if (a?.place) await store.fences.pass(a.place);
  await sql`DELETE FROM cauce.held USING cauce.fence f WHERE f.id = fence AND f.app = 'cancel2' AND message_id = 'b'`;
  const due = await claimAll(store, ["t"]);
  expect(due.map(({ messageId }) => messageId)).toEqual(["c"]);
  expect(await store.fences.takeTurn(due[0]?.place ?? { fence: "0", turn: 0 })).toBe("free");
  await store.close();
});

test("what a person changes in the same transaction afterwards still counts as a person's", async () => {
  const store = await createPostgresStore({ url, app: "writer" });
  await store.fences.raise([{ ...of("a"), delayMs: 60_000 }]);
  await store.fences.hold(of("b"));
  const [writer] = await sql.begin(async (tx) => {
    await tx`DELETE FROM cauce.scheduled WHERE app = 'writer'`;
    return await tx<{ writer: string }[]>`SELECT current_setting('cauce.writer', true) AS writer`;
  });
  expect(writer?.writer).not.toBe("runtime");
  await store.close();
});

test("a fence whose next message got lost on its topic sends it again", async () => {
  const store = await createPostgresStore({ url, app: "stuck", limits: { stuckFenceMs: 0 } });
  await store.fences.raise([of("a")]);
  await store.fences.hold(of("b"));
  // It waits in the schedule: nothing is lost yet.
  expect(await store.releaseStuck()).toBe(0);
  expect((await claimAll(store, ["t"])).map(({ messageId }) => messageId)).toEqual(["a"]);
  expect(await store.releaseStuck()).toBe(1);
  const [again] = await claimAll(store, ["t"]);
  expect([again?.messageId, again?.place?.turn]).toEqual(["a", 1]);
  await store.close();
});

test("a fence whose next message is parked sends nothing around it, however long it takes to be put right", async () => {
  const app = "parked";
  const store = await createPostgresStore({ url, app, limits: { stuckFenceMs: 0 } });
  await store.fences.raise([of("a")]);
  await store.fences.hold(of("b"));
  await editByHand(sql, app, "a", "wrong");
  const publish = async (due: readonly DueMessage[]) => due.map((each) => ({ due: each, problem: "wrong" }));
  expect(await store.claim({ topics: ["t"], limit: 9, publish })).toBe(1);
  expect(await store.releaseStuck()).toBe(0);
  expect(await claimAll(store, ["t"])).toEqual([]);
  await editByHand(sql, app, "a", "right");
  const [a] = await claimAll(store, ["t"]);
  expect([a?.messageId, a?.place?.turn, new TextDecoder().decode(a?.record.value ?? undefined)]).toEqual([
    "a",
    1,
    "right",
  ]);
  await store.close();
});

test("a held message that is deleted while it stands parked is gone from there too, and the next one goes", async () => {
  const app = "parked2";
  const store = await createPostgresStore({ url, app });
  await store.fences.raise([of("a")]);
  await store.fences.hold(of("b"));
  await editByHand(sql, app, "a", "wrong");
  const publish = async (due: readonly DueMessage[]) => due.map((each) => ({ due: each, problem: "wrong" }));
  await store.claim({ topics: ["t"], limit: 9, publish });
  await sql`DELETE FROM cauce.held USING cauce.fence f WHERE f.id = fence AND f.app = ${app} AND message_id = 'a'`;
  expect((await sql`SELECT FROM cauce.parked WHERE app = ${app}`).length).toBe(0);
  expect((await claimAll(store, ["t"])).map(({ messageId }) => messageId)).toEqual(["b"]);
  await store.close();
});

test("a parked message that is deleted from its own table is cancelled too", async () => {
  const app = "parked3";
  const store = await createPostgresStore({ url, app });
  await store.fences.raise([of("a")]);
  await store.fences.hold(of("b"));
  await editByHand(sql, app, "a", "wrong");
  const publish = async (due: readonly DueMessage[]) => due.map((each) => ({ due: each, problem: "wrong" }));
  await store.claim({ topics: ["t"], limit: 9, publish });
  await sql`DELETE FROM cauce.parked WHERE app = ${app}`;
  expect((await claimAll(store, ["t"])).map(({ messageId }) => messageId)).toEqual(["b"]);
  await store.close();
});

test("a message that waited long and has just been published is no lost one", async () => {
  const app = "long";
  const store = await createPostgresStore({ url, app, limits: { stuckFenceMs: 60_000 } });
  await store.fences.raise([of("a")]);
  await sql`UPDATE cauce.fence SET moved_at = now() - interval '1 hour' WHERE app = ${app}`;
  expect((await claimAll(store, ["t"])).map(({ messageId }) => messageId)).toEqual(["a"]);
  expect(await store.releaseStuck()).toBe(0);
  await store.close();
});

test("more than may wait behind one fence is refused until some are through", async () => {
  const store = await createPostgresStore({ url, app: "full", limits: { heldPerFence: 2 } });
  await store.fences.raise([of("a")]);
  expect(await store.fences.hold(of("b"))).toBe("held");
  expect(await store.fences.hold(of("c"))).toBe("full");
  const [a] = await claimAll(store, ["t"]);
  if (a?.place) await store.fences.pass(a.place);
  expect(await store.fences.hold(of("c"))).toBe("held");
  await store.close();
});

test("many processes that hold, pass and take turns at one key at once lose nothing and keep the order", async () => {
  const stores = await Promise.all([1, 2, 3].map(() => createPostgresStore({ url, app: "crowd" })));
  const [one] = stores;
  if (one === undefined) throw new Error("no store");
  await one.fences.raise([of("first")]);
  const ids = Array.from({ length: 60 }, (_, at) => `m${String(at).padStart(2, "0")}`);
  const holding = (async () => {
    for (const id of ids)
      if ((await one.fences.hold(of(id))) === "free") throw new Error("it fell too early");
  })();
  const came: string[] = [];
  const through = new Set<string>();
  const drain = async (store: (typeof stores)[number]) => {
    while (through.size < ids.length + 1) {
      for (const { messageId, place } of await claimAll(store, ["t"])) {
        if (place === undefined) throw new Error("without a place");
        const standing = await store.fences.takeTurn(place);
        if (standing !== "free") continue;
        came.push(messageId);
        through.add(messageId);
        // The last one leaves only when all are held, so that the fence stands until then.
        if (messageId === "first") await holding;
        await store.fences.pass(place);
      }
    }
  };
  await Promise.all(stores.map(drain));
  expect(came).toEqual(["first", ...ids]);
  expect(await one.fences.keys("h", 10)).toEqual([]);
  await Promise.all(stores.map((store) => store.close()));
});

test("the view of held messages says whose turn it is, whatever the bytes are", async () => {
  const store = await createPostgresStore({ url, app: "view" });
  const odd = new Uint8Array([0xff, 0, 0x7b]);
  const strange = (id: string) => ({ ...of(id), record: { topic: "t", key: odd, value: odd, headers: [] } });
  await store.fences.raise([strange("a")]);
  await store.fences.hold(strange("b"));
  const rows = await sql`
    SELECT turn, is_next, handler, message_id FROM cauce.held_message WHERE app = 'view' ORDER BY turn`;
  expect(rows.map((row) => [row["message_id"], row["is_next"]])).toEqual([
    ["a", true],
    ["b", false],
  ]);
  await store.close();
});
