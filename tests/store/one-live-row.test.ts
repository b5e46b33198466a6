/**
 * At most one live row per (handler, message id, delivery), whatever happens at once: inserts and their repeats, claims that go
 * well, fail or lose their connection, cancelled and edited rows, parked ones, purges. Chance decides, from a seed that a failure names.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { createOutbox } from "cauce/outbox";
import { topic } from "cauce";
import * as v from "valibot";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import type { DueMessage } from "../../runtime/store/store.ts";
import { createDatabase } from "../services/postgres.ts";
import { message } from "./messages.ts";

let url: string;
let sql: postgres.Sql;
beforeAll(async () => {
  url = await createDatabase("one_live_row");
  sql = postgres(url, { max: 8, onnotice: () => undefined });
});
afterAll(() => sql.end());

const KEYS = 40;
const STEPS = 250;
const PROCESSES = 4;
const values = topic("t", { schema: v.string() });

/** xorshift32: the same steps for the same seed. */
function chance(seed: number) {
  let state = seed || 1;
  return (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Keys that are live twice, in the schedule and among the parked. */
async function doubles(app: string): Promise<number> {
  const rows = await sql`
    SELECT handler, message_id, delivery, count(*)::int FROM (
      SELECT app, handler, message_id, delivery FROM cauce.scheduled
      UNION ALL SELECT app, handler, message_id, delivery FROM cauce.parked
    ) AS live
    WHERE app = ${app} GROUP BY 1, 2, 3 HAVING count(*) > 1`;
  return rows.length;
}

interface Published {
  readonly key: string;
  /** Claims that committed, and those whose end nobody knows. */
  commits: number;
  doubts: number;
}

const keyOf = ({ handler, messageId, delivery }: Pick<DueMessage, "handler" | "messageId" | "delivery">) =>
  `${handler}/${messageId}/${delivery}`;

for (const seed of [1, 20_261, 987_654_321]) {
  test(`a key is live once at most, and taken once but for a crash, from seed ${seed}`, async () => {
    const app = `seed ${seed}`;
    const next = chance(seed);
    const stores = await Promise.all(
      Array.from({ length: PROCESSES }, () => createPostgresStore({ url, app, poolSize: 2 })),
    );
    const outbox = createOutbox({ app });
    const taken = new Map<string, Published>();
    const parked = new Set<string>();
    const given = () => {
      const handler = ["h", "client"][next(2)] ?? "h";
      return { handler, messageId: `m${next(KEYS)}`, delivery: handler === "client" ? 0 : next(3) };
    };

    async function claim(store: PostgresStore, fate: number): Promise<void> {
      let due: readonly DueMessage[] = [];
      let misfits = new Set<string>();
      const note = (what: "commits" | "doubts") => {
        for (const key of due.map(keyOf).filter((each) => !misfits.has(each))) {
          const known = taken.get(key) ?? { key, commits: 0, doubts: 0 };
          known[what]++;
          taken.set(key, known);
        }
      };
      try {
        await store.claim({
          topics: ["t"],
          limit: 1 + next(5),
          async publish(claimed) {
            due = claimed;
            if (fate === 0) throw new Error("not acknowledged");
            if (fate === 1) {
              await sql`
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'cauce claim' AND datname = current_database()`;
            }
            const some = fate === 2 ? claimed.slice(0, 1) : [];
            misfits = new Set(some.map(keyOf));
            return some.map((each) => ({ due: each, problem: "by chance" }));
          },
        });
        note("commits");
        for (const key of misfits) parked.add(key);
      } catch {
        if (fate !== 0) note("doubts");
      }
    }

    async function step(store: PostgresStore): Promise<unknown> {
      const keys = Array.from({ length: 1 + next(6) }, given);
      switch (next(10)) {
        case 0:
        case 1:
        case 2:
          return await store.schedule(keys.map((key) => message(key)));
        case 3:
          return await sql.begin(async (tx) => {
            for (const { messageId } of keys.filter(({ handler }) => handler === "client").toSorted(byId))
              await outbox(tx).send(values, "x", { id: messageId });
          });
        case 4:
          return await sql`DELETE FROM cauce.scheduled WHERE app = ${app} AND message_id = ${`m${next(KEYS)}`}`;
        case 5:
          return await sql`
            UPDATE cauce.scheduled SET unchecked = true, due_at = now() + ${next(20)} * interval '1 ms'
            WHERE app = ${app} AND message_id = ${`m${next(KEYS)}`}`;
        case 6:
          return await store.purgeKeys();
        default:
          return await claim(store, next(8));
      }
    }

    await Promise.all(
      stores.map(async (store) => {
        for (let count = 0; count < STEPS / PROCESSES; count++) {
          // A killed connection may be another one's: then that step did not happen.
          await step(store).catch(() => undefined);
          if (count % 5 === 0) expect(await doubles(app)).toBe(0);
        }
      }),
    );
    for (const store of stores) while ((await drain(store, taken)) > 0);
    const repeated = [...taken.values()].filter(({ commits }) => commits > 1);
    expect(repeated).toEqual([]);
    expect(taken.size).toBeGreaterThan(KEYS / 2);
    expect(parked.size).toBeGreaterThan(0);
    await Promise.all(stores.map((store) => store.close()));
  });
}

const byId = (a: { messageId: string }, b: { messageId: string }) => (a.messageId < b.messageId ? -1 : 1);

/** Takes what is left, and notes it. */
async function drain(store: PostgresStore, taken: Map<string, Published>): Promise<number> {
  return await store.claim({
    topics: ["t"],
    limit: 100,
    async publish(due) {
      for (const key of due.map(keyOf)) {
        const known = taken.get(key) ?? { key, commits: 0, doubts: 0 };
        known.commits++;
        taken.set(key, known);
      }
    },
  });
}
