/** Handlers that end their process: real worker processes, on the embedded defaults. */
import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { createClient } from "../../runtime/engine/client.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { MOCK_CLIENTS } from "../../runtime/kafka/index.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import { testLibrary } from "../kafka/library.ts";
import {
  clearStage,
  embeddedDatabase,
  eventually,
  isRunning,
  newStateDir,
  sql,
  startCauce,
  type Cauce,
  type Settings,
} from "../system/stage.ts";
import { grain, type DEEDS } from "./mill/handlers/mill.ts";

afterEach(clearStage);

const TIMEOUT_MS = 120_000;
const NEIGHBOURS = Array.from({ length: 20 }, (_, number) => `neighbour-${number}`);
/** A stall is found quickly, for the tests that wait for one. On a slow machine a healthy worker may seem to stand still. */
const QUICKLY: Settings = { WATCHDOG_MS: "2500" };

interface Grain {
  readonly id: string;
  readonly does: (typeof DEEDS)[number];
  readonly late?: boolean;
}

function startMill(stateDir: string, settings: Settings = {}): Cauce {
  return startCauce({ stateDir, cwd: join(import.meta.dir, "mill"), settings });
}

/** Sends through the mill's embedded broker. */
async function feed(cauce: Cauce, grains: readonly Grain[]): Promise<void> {
  const up = await cauce.said("up");
  const brokers = /in memory on (\S+)/.exec(JSON.stringify(up))?.[1] ?? "";
  const bus = await createKafkaBus({
    library: await testLibrary(),
    brokers,
    clientId: "feeder",
    ...MOCK_CLIENTS,
  });
  const store = createMemoryStore({ clock: systemClock });
  const client = createClient({ app: "feeder", bus, store, clock: systemClock, ready: () => true });
  await Promise.all(grains.map((value) => client.send(grain, value)));
  await bus.close();
}

function ground(...processes: readonly Cauce[]): Set<unknown> {
  const lines = processes.flatMap((cauce) => cauce.lines());
  return new Set(lines.filter(({ event }) => event === "ground").map(({ id }) => id));
}

function times(cauce: Cauce, event: string): number {
  return cauce.lines().filter((line) => line.event === event).length;
}

async function letters(stateDir: string): Promise<readonly Record<string, unknown>[]> {
  return await sql(
    embeddedDatabase(stateDir),
    "select cause, error, value_json ->> 'id' as id from cauce.dead_letter",
  );
}

/** The process that does the work, found by its journal. */
function workerOf(stateDir: string): number {
  const [name = ""] = readdirSync(join(stateDir, "watchdog")).filter((file) => file.endsWith(".running"));
  return Number.parseInt(name, 10);
}

const DIED = "the worker process died; it is started again";

describe("a message that ends its process", () => {
  const poisons: readonly (readonly [Omit<Grain, "id">, deaths: number, words: string])[] = [
    [{ does: "spin", late: true }, 2, "its event loop stood still"],
    [{ does: "segv", late: true }, 2, "it crashed (SIGSEGV)"],
    [{ does: "exit" }, 3, "it ended with code 7 in the middle of its work"],
    // Refused memory ends a process in more than one way.
    [{ does: "bomb" }, 2, "the last time it"],
  ];

  /** Among neighbours it runs again, dies with its process again, and is a dead letter; its neighbours are handled. */
  async function isBuried(poison: Omit<Grain, "id">, deaths: number, words: string): Promise<void> {
    const stateDir = newStateDir();
    const mill = startMill(stateDir, {
      WATCHDOG_DEATHS: String(deaths),
      ...(poison.does === "spin" && QUICKLY),
    });
    await feed(mill, [
      ...NEIGHBOURS.slice(0, 10).map((id) => ({ id, does: "nothing" }) as const),
      { id: "poison", ...poison },
      ...NEIGHBOURS.slice(10).map((id) => ({ id, does: "nothing" }) as const),
    ]);
    const dead = await eventually(`the dead letter of ${poison.does}`, async () => {
      const found = await letters(stateDir);
      return found.length > 0 && found;
    });
    expect(dead).toEqual([{ cause: "killed_process", id: "poison", error: expect.any(String) }]);
    expect(dead[0]?.["error"]).toContain(`the process died ${deaths} times while this message was run`);
    expect(dead[0]?.["error"]).toContain(words);
    await eventually("all neighbours", () => NEIGHBOURS.every((id) => ground(mill).has(id)));
    // More where the machine is so slow that a healthy worker seems to stand still: that costs time and blames nobody for long.
    expect(times(mill, DIED)).toBeGreaterThanOrEqual(deaths);
    expect(await mill.end("SIGINT")).toBe(0);
  }

  test(
    "(a loop without end, a crash, an exit, memory used up) is a dead letter after so many deaths; its neighbours are handled",
    async () => {
      await Promise.all(poisons.map((poison) => isBuried(...poison)));
    },
    TIMEOUT_MS,
  );

  test(
    "is found without a supervisor too, by the processes that are started after it",
    async () => {
      const stateDir = newStateDir();
      const alone = { ...QUICKLY, CAUCE_SUPERVISE: "off", WATCHDOG_DEATHS: "2" };
      const mills = [startMill(stateDir, alone)];
      const [first] = mills;
      if (first === undefined) throw new Error("unreachable");
      await feed(first, [
        { id: "poison", does: "spin" },
        { id: "neighbour", does: "nothing" },
      ]);
      for (let death = 0; death < 2; death++) {
        // What a shell says of SIGKILL.
        expect(await mills[death]?.exited).toBe(137);
        mills.push(startMill(stateDir, alone));
      }
      await eventually("the dead letter", async () => (await letters(stateDir)).length === 1);
      await eventually("the neighbour", () => ground(...mills).has("neighbour"));
      expect(await mills.at(-1)?.end()).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe("an end that no message is to blame for", () => {
  test(
    "a worker that is killed from outside is started again, and what it ran is not blamed however often",
    async () => {
      const stateDir = newStateDir();
      const mill = startMill(stateDir, { WATCHDOG_DEATHS: "1" });
      await feed(mill, [{ id: "slow", does: "nap" }]);
      for (let death = 1; death <= 2; death++) {
        await eventually("it runs", () => times(mill, "begun") >= death);
        process.kill(workerOf(stateDir), "SIGKILL");
        await eventually("it died", () => times(mill, DIED) === death);
      }
      await eventually("it is handled", () => ground(mill).has("slow"));
      expect(await letters(stateDir)).toEqual([]);
      expect(await mill.end()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    "a worker ends with its supervisor",
    async () => {
      const stateDir = newStateDir();
      const mill = startMill(stateDir);
      await mill.up();
      const worker = workerOf(stateDir);
      await mill.kill();
      await eventually("the worker is gone", () => !isRunning(worker));
    },
    TIMEOUT_MS,
  );

  test(
    "a worker that does not hear Ctrl-C is ended by the second one",
    async () => {
      const stateDir = newStateDir();
      const mill = startMill(stateDir, { WATCHDOG_MS: "0" });
      await feed(mill, [{ id: "poison", does: "spin" }]);
      await eventually("it spins", () => times(mill, "begun") === 1);
      const worker = workerOf(stateDir);
      await eventually("it has ended", () => {
        // Within a second it is the same wish, told twice.
        if (isRunning(mill.pid)) process.kill(mill.pid, "SIGINT");
        return !isRunning(mill.pid);
      });
      expect(await mill.exited).toBe(130);
      expect(isRunning(worker)).toBe(false);
    },
    TIMEOUT_MS,
  );

  test("a worker that refuses to start is not started again: its words and its code are the command's", async () => {
    const mill = startMill(newStateDir(), { WATCHDOG_MS: "soon" });
    expect(await mill.exited).toBe(1);
    expect(mill.output()).toContain("WATCHDOG_MS: expected a whole number");
    expect(times(mill, DIED)).toBe(0);
  });
});
