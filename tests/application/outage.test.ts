import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Unavailable } from "cauce";
import { openDatabase, type Database } from "../../handlers/shared/storage/database.ts";
import { migrateTables } from "../../handlers/shared/storage/migrate.ts";
import { createRepository, type Repository } from "../../handlers/shared/storage/repository.ts";
import { createViews } from "../../handlers/shared/storage/views.ts";
import { startPostgres, type OwnPostgresServer } from "../services/postgres.ts";
import { newQuestion, resultFor } from "./stage.ts";

let server: OwnPostgresServer;
let database: Database;
let repository: Repository;
beforeAll(async () => {
  server = await startPostgres();
  const url = await server.createDatabase("outage");
  await migrateTables(url);
  database = openDatabase({ url, deadlineMs: 2_000 });
  await createViews(database);
  repository = createRepository(database);
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

/** Tries until it succeeds; each failure on the way must say that waiting helps. */
async function eventually<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(Unavailable);
      await Bun.sleep(20);
    }
  }
}

/** A killed server's children go on answering until they notice: asks until one does not, and returns why. */
async function untilRefused(call: () => Promise<unknown>): Promise<unknown> {
  for (;;) {
    try {
      await call();
    } catch (thrown) {
      return thrown;
    }
    await Bun.sleep(20);
  }
}

describe("the repository", () => {
  test("says that waiting helps while Postgres is dead, and works again once it is back", async () => {
    const question = newQuestion();
    await repository.claim(question, null);
    await server.kill();
    const calls = [
      () => repository.claim(newQuestion(), null),
      () => repository.storeResult(resultFor(question.id)),
      () => repository.findStatus(question.id),
      () => repository.takeUnpublished({ olderThanMs: 0, limit: 1 }),
    ];
    for (const failure of await Promise.all(calls.map(untilRefused)))
      expect(failure).toBeInstanceOf(Unavailable);
    await server.restart();
    await eventually(() => repository.storeResult(resultFor(question.id)));
    expect(await repository.findStatus(question.id)).toMatchObject({ state: "done" });
  }, 60_000);

  test("stores every result once across a crash of Postgres under load", async () => {
    const ids = Array.from({ length: 40 }, () => newQuestion().id);
    const storing = ids.map((id) => eventually(() => repository.storeResult(resultFor(id))));
    await server.restart("immediate");
    await Promise.all(storing);
    for (const id of ids) expect(await repository.findResult(id)).toMatchObject({ answer: "Yes." });
  }, 60_000);
});
