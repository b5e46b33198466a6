/** What `kill -9` may not lose: every question that was acknowledged, on the embedded defaults. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { freePort } from "../services/port.ts";
import { postgresDataDir } from "../../runtime/embedded/postgres.ts";
import { findPostmaster } from "../../runtime/embedded/postmaster.ts";
import { ask, question, questions, queue, reaches } from "./asking.ts";
import { MOMENTS } from "./killed-at.ts";
import {
  clearStage,
  count,
  embeddedDatabase,
  eventually,
  isRunning,
  keeperOf,
  newStateDir,
  sql,
  startCauce,
} from "./stage.ts";

/** Longer than any wait of the stage, so that a wait that was in vain is told. */
setDefaultTimeout(240_000);

afterEach(clearStage);

const IN_FLIGHT = 100;
const OPEN = "select count(*) from question where state not in ('done', 'failed')";

/** Some are with the model, some wait in the schedule, some were answered already. */
const SLOW = {
  // What a dead process claimed and never published is taken up so soon.
  CLAIM_GRACE_MS: "2000",
  OFFLINE_LATENCY_MS: "300",
  OFFLINE_FAULTS: "rate_limit=0.2,garbage=0.1",
  OFFLINE_SCRIPT: "[]",
};

/** Every id is at its end, and none of them has two results. */
async function accountedFor(door: string, address: () => string, ids: readonly string[]): Promise<void> {
  await eventually("no question is open", async () => (await count(address(), OPEN)) === 0);
  const database = address();
  for (const id of ids) await reaches(door, id, "done", "failed");
  const twice = await sql(
    database,
    "select question_hash from response_event group by question_hash having count(*) > 1",
  );
  expect(twice).toEqual([]);
  const ends = await sql(database, "select id, state from question");
  expect(ends.map(({ id }) => String(id)).toSorted()).toEqual([...ids].toSorted());
  const results = await count(database, "select count(*) from response_event");
  expect(results).toBe(ends.filter(({ state }) => state === "done").length);
}

describe("a hundred questions in flight on the embedded defaults", () => {
  for (const together of [false, true]) {
    const victims = together ? "the process and its broker are killed" : "the process is killed";
    test(`are all accounted for, once each, when ${victims} and started again`, async () => {
      const stateDir = newStateDir();
      const cauce = startCauce({ stateDir, settings: SLOW });
      const door = await cauce.door();
      const ids = await Promise.all(questions("Meersburg", IN_FLIGHT).map((asked) => queue(door, asked)));
      const database = embeddedDatabase(stateDir);
      await eventually(
        "the first results",
        async () => (await count(database, "select count(*) from response_event")) > 0,
      );
      expect(await count(database, OPEN)).toBeGreaterThan(0);
      if (together) process.kill(keeperOf(stateDir), "SIGKILL");
      await cauce.kill();
      const again = startCauce({ stateDir, settings: SLOW });
      await accountedFor(await again.door(), () => embeddedDatabase(stateDir), ids);
      expect(await again.end()).toBe(0);
    }, 120_000);
  }

  test("are all accounted for when the broker alone is killed: the process starts another one by itself", async () => {
    const stateDir = newStateDir();
    const port = String(freePort());
    const cauce = startCauce({ stateDir, settings: { ...SLOW, PORT: port } });
    const door = await cauce.door();
    const ids = await Promise.all(questions("Überlingen", IN_FLIGHT).map((asked) => queue(door, asked)));
    const database = embeddedDatabase(stateDir);
    await eventually(
      "the first results",
      async () => (await count(database, "select count(*) from response_event")) > 0,
    );
    process.kill(keeperOf(stateDir), "SIGKILL");
    await cauce.said(({ event }) => event.startsWith("the embedded broker is gone; starting another one"));
    await accountedFor(door, () => database, ids);
    expect((await ask(door, question("Überlingen", 1))).body).toMatchObject({ hit: true });
    const id = await queue(door, question("Überlingen", 1_000));
    await reaches(door, id, "done");
    expect(await cauce.end("SIGINT")).toBe(0);
  });
});

describe("the embedded Postgres", () => {
  test("is started again when it is killed, and every question is accounted for", async () => {
    const stateDir = newStateDir();
    const cauce = startCauce({ stateDir, settings: SLOW });
    const door = await cauce.door();
    const ids = await Promise.all(questions("Kressbronn", IN_FLIGHT).map((asked) => queue(door, asked)));
    const postmaster = findPostmaster(postgresDataDir(stateDir) ?? "");
    if (postmaster === null) throw new Error("no Postgres runs");
    process.kill(postmaster.pid, "SIGKILL");
    await eventually("it is gone", () => !isRunning(postmaster.pid));
    await accountedFor(door, () => embeddedDatabase(stateDir), ids);
    expect(await cauce.end()).toBe(0);
  });

  test("and the broker end on `stop`, and with them the processes that use them, with code 0", async () => {
    const stateDir = newStateDir();
    const settings = { PORT: String(freePort()) };
    const pair = [startCauce({ stateDir, settings }), startCauce({ stateDir, settings })];
    await Promise.all(pair.map((cauce) => cauce.up()));
    const keeper = keeperOf(stateDir);
    const stop = startCauce({ stateDir, program: ["runtime/bin/cauce.ts", "stop"] });
    expect(await stop.exited).toBe(0);
    expect(await Promise.all(pair.map(({ exited }) => exited))).toEqual([0, 0]);
    expect(isRunning(keeper)).toBe(false);
    expect(findPostmaster(postgresDataDir(stateDir) ?? "")).toBeNull();
  });
});

describe("a question whose process is killed in the door", () => {
  for (const moment of MOMENTS) {
    test(`is not lost when that happens at "${moment}"`, async () => {
      const stateDir = newStateDir();
      const doomed = startCauce({ stateDir, program: ["tests/system/killed-at.ts", moment] });
      const door = await doomed.door();
      const asked = question("Hagnau", 1);
      const answer = await ask(door, asked).catch(() => null);
      expect(answer).toBeNull();
      await doomed.exited;
      const again = await startCauce({ stateDir, settings: { CLAIM_GRACE_MS: "1000" } }).door();
      const database = embeddedDatabase(stateDir);
      const [claim] = await sql(database, "select id from question");
      await reaches(again, String(claim?.["id"]), "done");
      expect(await count(database, "select count(*) from response_event")).toBe(1);
      expect((await ask(again, asked)).body).toMatchObject({ hit: true });
    }, 60_000);
  }
});
