/** Postgres away, coming back, and black-holed: nothing hangs, nothing crashes, waiting is enough. */
import { expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import type { CauceError } from "../../runtime/ground/errors.ts";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import { createDatabase, startPostgres } from "../services/postgres.ts";
import { freePort } from "../services/port.ts";
import { claimAll } from "./contract.ts";
import { message } from "./messages.ts";
import { rejectionOf } from "./rejection.ts";

/** A way to Postgres that can be swallowed: bytes arrive and nothing comes back. */
async function proxy(url: string) {
  const { createConnection } = await import("node:net");
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let swallowing = false;
  const server: Server = createServer((socket) => {
    const onward = createConnection({ host: target.hostname, port: Number(target.port) });
    for (const each of [socket, onward]) {
      sockets.add(each);
      each.on("error", () => undefined).on("close", () => sockets.delete(each));
    }
    socket.on("data", (data) => void (swallowing || onward.write(data)));
    onward.on("data", (data) => void (swallowing || socket.write(data)));
    socket.on("close", () => onward.destroy());
    onward.on("close", () => socket.destroy());
  });
  const through = new URL(url);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  through.port = String(typeof address === "object" && address ? address.port : 0);
  return {
    url: through.href,
    swallow: (on: boolean) => void (swallowing = on),
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test("a store waits for a database that is away at the start, says why, and stops waiting when told", async () => {
  const stop = new AbortController();
  const reasons: CauceError[] = [];
  const made = createPostgresStore({
    url: `postgres://ada:canary@127.0.0.1:${freePort()}/none`,
    app: "a",
    signal: stop.signal,
    waiting(failure, tries) {
      reasons.push(failure);
      if (tries === 3) stop.abort();
    },
  });
  expect(await rejectionOf(made)).toMatchObject({ code: "aborted" });
  expect(reasons.length).toBe(3);
  expect(reasons[0]).toMatchObject({ code: "unavailable", retryable: true });
  expect(Bun.inspect(reasons)).not.toContain("canary");
});

test("a database that refuses is an error at once, not a wait", async () => {
  const url = new URL(await createDatabase("store_refused"));
  url.pathname = "/there_is_no_such_database";
  expect(await rejectionOf(createPostgresStore({ url: url.href, app: "a" }))).toMatchObject({
    code: "database",
  });
});

test("a black-holed server costs each statement its deadline, and no more once it answers again", async () => {
  const way = await proxy(await createDatabase("store_black_hole"));
  const store = await createPostgresStore({ url: way.url, app: "a", limits: { statementTimeoutMs: 1_000 } });
  await store.schedule([message({ messageId: "before" })]);
  way.swallow(true);
  const away = { code: "unavailable", retryable: true };
  expect(await rejectionOf(store.schedule([message({ messageId: "lost" })]))).toMatchObject(away);
  expect(store.connected).toBe(false);
  expect(await rejectionOf(store.nextDueMs(["t"]))).toMatchObject(away);
  const publish = () => Promise.resolve();
  expect(await rejectionOf(store.claim({ topics: ["t"], limit: 1, publish }))).toMatchObject(away);
  way.swallow(false);
  expect(await store.schedule([message({ messageId: "after" })])).toBe(1);
  expect(store.connected).toBe(true);
  expect((await claimAll(store, ["t"])).map(({ messageId }) => messageId)).toContain("after");
  await store.close();
  way.close();
});

test("a server that vanishes in the middle of a claim gives the rows back", async () => {
  const way = await proxy(await createDatabase("store_vanished"));
  const store = await createPostgresStore({
    url: way.url,
    app: "a",
    limits: { statementTimeoutMs: 150, idleInTransactionMs: 300 },
  });
  await store.schedule([message({ messageId: "m" })]);
  const claimed = store.claim({ topics: ["t"], limit: 1, publish: async () => way.swallow(true) });
  expect(await rejectionOf(claimed)).toMatchObject({ code: "unavailable" });
  way.swallow(false);
  // The server still holds the row for its lost claimer, until the idle limit ends that.
  for (let left = true; left; left = (await store.nextDueMs(["t"])) !== null) await claimAll(store, ["t"]);
  await store.close();
  way.close();
});

test("a store that nobody asks anything knows that its database is gone, and that it is back", async () => {
  const server = await startPostgres();
  const store = await createPostgresStore({ url: await server.createDatabase("gone"), app: "a" });
  const becomes = async (connected: boolean) => {
    while (store.connected !== connected) await Bun.sleep(10);
  };
  await becomes(true);
  await server.kill();
  await becomes(false);
  await server.restart();
  await becomes(true);
  await store.close();
  await server.stop();
}, 20_000);
