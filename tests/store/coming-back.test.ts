/** What Postgres refuses for want of something that comes back: waited for, said, and tried on a new session. */
import { expect, test } from "bun:test";
import { createConnection, createServer } from "node:net";
import type { CauceError } from "../../runtime/ground/errors.ts";
import { STORE_LIMITS } from "../../runtime/store/limits.ts";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import { createDatabase } from "../services/postgres.ts";
import { sql } from "../system/stage.ts";
import { message } from "./messages.ts";
import { rejectionOf } from "./rejection.ts";

/** A way to Postgres whose first connections are refused as a server refuses that is there and cannot serve. */
async function refusingFirst(
  url: string,
  { code, words, times }: { code: string; words: string; times: number },
) {
  const target = new URL(url);
  let left = times;
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    if (left-- > 0) {
      socket.once("data", () => socket.end(errorResponse(code, words)));
      return;
    }
    const onward = createConnection({ host: target.hostname, port: Number(target.port) });
    onward.on("error", () => undefined);
    socket.pipe(onward).pipe(socket);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  const through = new URL(url);
  through.port = String(typeof address === "object" && address ? address.port : 0);
  return { url: through.href, close: () => server.close() };
}

/** ErrorResponse of the protocol: fields, each a letter and a text that ends with 0. */
function errorResponse(code: string, words: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${words}\0\0`);
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeInt32BE(fields.byteLength + 4, 1);
  return Buffer.concat([head, fields]);
}

for (const { code, words } of [
  { code: "57P03", words: "the database system is starting up" },
  { code: "53300", words: "sorry, too many clients already" },
]) {
  test(`a server that says "${words}" (${code}) is waited for at the start`, async () => {
    const way = await refusingFirst(await createDatabase("coming_back"), { code, words, times: 3 });
    const reasons: CauceError[] = [];
    const store = await createPostgresStore({
      url: way.url,
      app: "a",
      waiting: (failure) => reasons.push(failure),
    });
    expect(reasons.length).toBeGreaterThan(0);
    for (const reason of reasons) {
      expect(reason).toMatchObject({ code: "unavailable", retryable: true });
      expect(reason.message).toContain(words);
    }
    expect(await store.schedule([message({ messageId: "m" })])).toBe(1);
    await store.close();
    way.close();
  });
}

test("a server that may only be read is waited for, and each try asks on a new session", async () => {
  const url = await createDatabase("only_read");
  const name = new URL(url).pathname.slice(1);
  const elsewhere = Object.assign(new URL(url), { pathname: "/postgres" }).href;
  const store = await createPostgresStore({ url, app: "a" });
  const write = () => store.schedule([message({ messageId: "m" })]);
  // Sessions learn it when they begin and keep it, as one does that a failover left on the old server.
  await sql(elsewhere, `ALTER DATABASE "${name}" SET default_transaction_read_only = on`);
  await sql(elsewhere, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
  for (let refusals = 0; refusals < 3;) {
    const failure = await rejectionOf(write());
    expect(failure).toMatchObject({ code: "unavailable", retryable: true });
    if (String(failure).includes("25006")) refusals++;
  }
  await sql(elsewhere, `ALTER DATABASE "${name}" RESET default_transaction_read_only`);
  // Sessions that began before are found out one by one, each by one refusal.
  let added = 0;
  for (let tries = 0; added === 0 && tries <= STORE_LIMITS.poolSize; tries++)
    added = await write().catch(() => 0);
  expect(added).toBe(1);
  await store.close();
});
