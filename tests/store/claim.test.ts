/** The claim on a real Postgres: what it holds, what it gives back, and which plan it runs by. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { START } from "../../runtime/store/claim-floor.ts";
import { createPostgresStore, type PostgresStoreOptions } from "../../runtime/store/postgres.ts";
import { statementsFor } from "../../runtime/store/statements.ts";
import { createDatabase } from "../services/postgres.ts";
import { claimAll } from "./contract.ts";
import { message } from "./messages.ts";
import { rejectionOf } from "./rejection.ts";

let url: string;
let sql: postgres.Sql;
beforeAll(async () => {
  url = await createDatabase("store_claim");
  sql = postgres(url, { max: 2, onnotice: () => undefined });
});
afterAll(() => sql.end());

const open = (app: string, more: Partial<PostgresStoreOptions> = {}) =>
  createPostgresStore({ url, app, ...more });
const many = (count: number, topic = "t") =>
  Array.from({ length: count }, (_, index) => message({ messageId: `m${index}`, topic }));
const rowsOf = async (app: string) => {
  const [row] = await sql<{ count: number }[]>`SELECT count(*)::int FROM cauce.scheduled WHERE app = ${app}`;
  return row?.count;
};
const killClaimers = () => sql`
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE application_name = 'cauce claim' AND datname = current_database()`;

describe("a claim", () => {
  test("takes rows that no other claim holds", async () => {
    const [one, two] = await Promise.all([open("shared"), open("shared")]);
    await one.schedule(many(10));
    const held = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const first: string[] = [];
    const holding = one.claim({
      topics: ["t"],
      limit: 6,
      async publish(due) {
        first.push(...due.map(({ messageId }) => messageId));
        held.resolve();
        await release.promise;
      },
    });
    await held.promise;
    const second = (await claimAll(two, ["t"])).map(({ messageId }) => messageId);
    release.resolve();
    expect(await holding).toBe(6);
    expect(second.length).toBe(4);
    expect(new Set([...first, ...second]).size).toBe(10);
    expect(await rowsOf("shared")).toBe(0);
    await Promise.all([one.close(), two.close()]);
  });

  test("whose backend is killed while it publishes keeps every row, and the store goes on", async () => {
    const store = await open("killed");
    await store.schedule(many(5));
    for (let round = 0; round < 5; round++) {
      const claimed = store.claim({
        topics: ["t"],
        limit: 10,
        async publish() {
          await killClaimers();
          // Until the server has rolled back and the socket is gone.
          while ((await claimers()) > 0) await Bun.sleep(1);
        },
      });
      expect(await rejectionOf(claimed)).toMatchObject({ code: "unavailable", retryable: true });
      expect(await rowsOf("killed")).toBe(5);
    }
    expect((await claimAll(store, ["t"])).length).toBe(5);
    await store.close();
  });

  test("that is killed at any moment loses no row and ends no process", async () => {
    const store = await open("storm");
    await store.schedule(many(400));
    const seen = new Set<string>();
    const storm = new AbortController();
    const killing = (async () => {
      while (!storm.signal.aborted) {
        await sql`
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name LIKE 'cauce %' AND datname = current_database()`;
        await Bun.sleep(100);
      }
    })();
    let failures = 0;
    for (let left = true; left;) {
      const publish = async (due: readonly { messageId: string }[]) => {
        await Bun.sleep(5);
        for (const { messageId } of due) seen.add(messageId);
      };
      const attempt = store
        .claim({ topics: ["t"], limit: 20, publish })
        .then(async (count) => count > 0 || (await store.nextDueMs(["t"])) !== null);
      left = await attempt.catch((error: unknown) => {
        expect(error).toMatchObject({ code: "unavailable" });
        failures++;
        return true;
      });
    }
    storm.abort();
    await killing;
    expect(seen.size).toBe(400);
    expect(failures).toBeGreaterThan(0);
    await store.close();
  });

  test("gives its rows back when the publish is slower than its deadline", async () => {
    const store = await open("slow", { limits: { publishDeadlineMs: 50 } });
    await store.schedule(many(3));
    const never = new Promise<void>(() => undefined);
    expect(await rejectionOf(store.claim({ topics: ["t"], limit: 3, publish: () => never }))).toMatchObject({
      code: "unavailable",
      retryable: true,
    });
    expect((await claimAll(store, ["t"])).length).toBe(3);
    await store.close();
  });

  test("of a process that stands still is ended by Postgres", async () => {
    const store = await open("stalled", { limits: { idleInTransactionMs: 100 } });
    await store.schedule(many(2));
    const claimed = store.claim({
      topics: ["t"],
      limit: 2,
      async publish() {
        while ((await claimers()) > 0) await Bun.sleep(5);
      },
    });
    expect(await rejectionOf(claimed)).toMatchObject({ code: "unavailable" });
    expect((await claimAll(store, ["t"])).length).toBe(2);
    await store.close();
  });

  test("leaves the rows of other apps alone", async () => {
    const [mine, theirs] = await Promise.all([open("mine"), open("theirs")]);
    await theirs.schedule(many(1));
    expect(await mine.schedule(many(1))).toBe(1);
    expect((await claimAll(mine, ["t"])).length).toBe(1);
    expect(await mine.nextDueMs(["t"])).toBeNull();
    expect(await theirs.nextDueMs(["t"])).toBe(0);
    await Promise.all([mine.close(), theirs.close()]);
  });

  test("sees rows that someone moved, edited or removed by plain SQL", async () => {
    const store = await open("edited");
    await store.schedule(["a", "b", "c"].map((messageId) => message({ messageId, delayMs: 3_600_000 })));
    await sql`UPDATE cauce.scheduled SET due_at = now() WHERE app = 'edited' AND message_id = 'b'`;
    await sql`DELETE FROM cauce.scheduled WHERE app = 'edited' AND message_id = 'c'`;
    expect((await claimAll(store, ["t"])).map(({ messageId }) => messageId)).toEqual(["b"]);
    expect(await rowsOf("edited")).toBe(1);
    await store.close();
  });

  const claimers = async () => {
    const [row] = await sql<{ count: number }[]>`
      SELECT count(*)::int FROM pg_stat_activity
      WHERE application_name = 'cauce claim' AND datname = current_database() AND xact_start IS NOT NULL`;
    return row?.count ?? 0;
  };
});

describe("with statistics that lie and costs that tempt, the plan still walks the index in order:", () => {
  interface Node {
    readonly "Node Type": string;
    readonly "Relation Name"?: string;
    readonly "Index Name"?: string;
    readonly "Shared Hit Blocks"?: number;
    readonly "Shared Read Blocks"?: number;
    readonly "Actual Rows"?: number;
    readonly Plans?: readonly Node[];
  }
  const flat = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(flat)];

  /** Statistics from when nothing was due and little there; then 60,000 rows, most of them due. */
  async function prepare(apartMs = 1): Promise<void> {
    const store = await open("plan");
    await store.schedule([message({ messageId: "first", delayMs: 3_600_000 })]);
    await sql`ANALYZE cauce.scheduled`;
    await sql`ALTER TABLE cauce.scheduled SET (autovacuum_enabled = off)`;
    await sql`
      INSERT INTO cauce.scheduled (app, handler, message_id, kind, topic, due_at)
      SELECT 'plan', 'h', 'm' || n, 'retry', (ARRAY['t', 'u', 'v'])[1 + n % 3], now() + ((n - 50000) * ${apartMs}::float8 - 1) * interval '1 ms'
      FROM generate_series(1, 60000) AS n`;
    await store.close();
  }

  const statements = statementsFor({
    schema: "cauce",
    idleInTransactionMs: 60_000,
    statementTimeoutMs: 15_000,
  });
  const parameters = ["plan", "{t,u,absent}", "500", String(START.due_s), "{1,1,1}", START.id];

  async function planOf(statement: string, values: readonly string[], begin: string): Promise<Node[]> {
    const own = postgres(url, { max: 1, onnotice: () => undefined });
    try {
      // And settings that make any other plan look cheaper.
      await own.unsafe("SET random_page_cost = 100000; SET cpu_index_tuple_cost = 1000");
      await own.unsafe(begin);
      const rows = await own.unsafe<{ "QUERY PLAN": readonly { readonly Plan: Node }[] }[]>(
        `EXPLAIN (FORMAT JSON) ${statement}`,
        [...values],
      );
      return flat(rows[0]?.["QUERY PLAN"][0]?.Plan ?? { "Node Type": "none" });
    } finally {
      await own.end({ timeout: 1 });
    }
  }

  const reads = (nodes: readonly Node[]) => nodes.filter((node) => node["Relation Name"] === "scheduled");

  test("the claim and the delete", async () => {
    await prepare();
    const claim = await planOf(statements.claim, parameters, statements.beginClaim);
    expect(reads(claim).length).toBe(2);
    for (const read of reads(claim)) {
      expect(["Index Scan", "Index Only Scan"]).toContain(read["Node Type"]);
      expect(read["Index Name"]).toBe("scheduled_claim");
    }
    const locked = claim.find((node) => node["Node Type"] === "LockRows");
    expect(locked?.Plans?.[0]?.["Node Type"]).toBe("Index Scan");

    const removal = await planOf(statements.deletePublished, ["{1,2,3}"], statements.beginClaim);
    expect(removal.map((node) => node["Index Name"]).filter(Boolean)).toEqual(["scheduled_pkey"]);
  });

  test.each([
    ["one after the other", 1],
    ["at one instant", 0],
  ])(
    "the claim behind 30,000 rows that were due %s, published while somebody holds an old snapshot, page for page",
    async (_, apartMs) => {
      await sql`DELETE FROM cauce.scheduled WHERE app = 'plan'`;
      await sql`VACUUM cauce.scheduled`;
      await prepare(apartMs);
      const clean = await runClaim(START);
      const snapshot = postgres(url, { max: 1, onnotice: () => undefined });
      await snapshot.unsafe("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM cauce.scheduled");
      await sql`
      DELETE FROM cauce.scheduled WHERE id IN (
        SELECT id FROM cauce.scheduled WHERE app = 'plan' ORDER BY due_at, id LIMIT 30000)`;
      await sql`VACUUM cauce.scheduled`; // in vain: the snapshot may still see them
      const [first] = await sql<{ due_s: number; id: string }[]>`
      SELECT date_part('epoch', due_at) AS due_s, id FROM cauce.scheduled WHERE app = 'plan' ORDER BY scheduled.due_at, scheduled.id LIMIT 1`;
      const fromStart = await runClaim(START);
      const fromFloor = await runClaim(first ?? START);
      await snapshot.unsafe("ROLLBACK");
      await snapshot.end();
      for (const { nodes } of [fromStart, fromFloor])
        for (const read of reads(nodes)) expect(read["Index Name"]).toBe("scheduled_claim");
      expect(fromFloor.rows).toBe(clean.rows);
      expect(fromFloor.pages).toBeLessThan(2 * clean.pages);
      // They are in the way indeed of whoever begins at the start.
      expect(fromStart.pages).toBeGreaterThan(fromFloor.pages + 100);
    },
  );

  /** Runs the claim, takes it back, and tells what it touched. */
  async function runClaim(floor: { readonly due_s: number; readonly id: string }) {
    const own = postgres(url, { max: 1, onnotice: () => undefined });
    try {
      await own.unsafe(statements.beginClaim);
      const [app = "", topics = "", limit = "", , versions = ""] = parameters;
      const rows = await own.unsafe<{ "QUERY PLAN": readonly { readonly Plan: Node }[] }[]>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${statements.claim}`,
        [app, topics, limit, floor.due_s, versions, floor.id],
      );
      await own.unsafe("ROLLBACK");
      const plan = rows[0]?.["QUERY PLAN"][0]?.Plan ?? { "Node Type": "none" };
      const pages = (plan["Shared Hit Blocks"] ?? 0) + (plan["Shared Read Blocks"] ?? 0);
      return { nodes: flat(plan), pages, rows: plan["Actual Rows"] ?? 0 };
    } finally {
      await own.end({ timeout: 1 });
    }
  }

  test("the next due row, the counts and an insert's look at what is known", async () => {
    const own = postgres(url, { max: 1, onnotice: () => undefined });
    const scans = await own.begin(async (inside) => {
      await inside.unsafe("SET LOCAL random_page_cost = 100000; SET LOCAL cpu_index_tuple_cost = 1000");
      await inside.unsafe(statements.nextDue, ["plan", "{t,u,absent}", "{1,NULL,1}"]);
      await inside.unsafe(statements.count, ["plan", "1000"]);
      await inside.unsafe(`SELECT cauce.next_due('plan', 't', now())`);
      return await inside<{ seq_scan: string; seq_tup_read: string }[]>`
        SELECT seq_scan, seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'scheduled'`;
    });
    await own.end();
    expect([...scans]).toEqual([{ seq_scan: "0", seq_tup_read: "0" }]);
  });
});
