import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../ground/clock.ts";
import { silentLog } from "../ground/log.ts";
import { abandonedJournals, holdInquest, judge } from "./inquest.ts";
import { Journal, readJournal, type Testimony } from "./journal.ts";
import { Suspects } from "./suspects.ts";
import type { Coordinates } from "./watch.ts";
import { openWatchdog, suspectsIn, type Watchdog } from "./watchdog.ts";

const folders: string[] = [];
const opened: Watchdog[] = [];

afterEach(() => {
  for (const watchdog of opened.splice(0)) watchdog.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "cauce-watchdog-"));
  folders.push(folder);
  return folder;
}

function open(folder: string, deaths = 3): Watchdog {
  const options = { folder, stallMs: 0, deaths, slots: 8, supervised: false };
  const watchdog = openWatchdog({ ...options, clock: systemClock, log: silentLog });
  if (watchdog === null) throw new Error("no watchdog");
  opened.push(watchdog);
  return watchdog;
}

function at(offset: number, topic = "grain"): Coordinates {
  return { topic, partition: 2, offset, timestampMs: 1_700_000_000_000 + offset };
}

const never = () => {
  throw new Error("condemned");
};

describe("the journal", () => {
  test("tells what had begun and not ended, and whose code was on the stack", () => {
    const path = join(newFolder(), "j");
    const journal = new Journal({ path, slots: 3, supervised: true });
    const slots = [journal.begin("mill", at(1)), journal.begin("baker", at(2 ** 40, "bread"))];
    journal.waits();
    expect(readJournal(path)).toEqual({
      pid: process.pid,
      stalled: false,
      supervised: true,
      running: expect.arrayContaining([
        { handler: "mill", ...at(1) },
        { handler: "baker", ...at(2 ** 40, "bread") },
      ]),
      executing: null,
    });
    for (const slot of slots) journal.end(slot);
    journal.begin("mill", at(3));
    const testimony = readJournal(path);
    expect(testimony?.running).toEqual([{ handler: "mill", ...at(3) }]);
    expect(testimony?.executing).toEqual({ handler: "mill", ...at(3) });
  });

  test("goes on when more runs than it has slots for", () => {
    const path = join(newFolder(), "j");
    const journal = new Journal({ path, slots: 1, supervised: false });
    journal.begin("mill", at(1));
    const extra = journal.begin("mill", at(2));
    journal.end(extra);
    expect(readJournal(path)?.running).toEqual([{ handler: "mill", ...at(1) }]);
  });

  test("that is none, or half of one, says nothing", () => {
    const path = join(newFolder(), "j");
    expect(readJournal(path)).toBeNull();
    for (const text of ["", "CAUC", "x".repeat(100_000)]) {
      writeFileSync(path, text);
      expect(readJournal(path)).toBeNull();
    }
  });
});

describe("an inquest", () => {
  const [one, other] = [
    { handler: "mill", ...at(1) },
    { handler: "mill", ...at(2) },
  ];
  const testimony: Testimony = {
    pid: 1,
    stalled: false,
    supervised: true,
    running: [one, other],
    executing: null,
  };

  test("suspects the one whose code was on the stack, else all that ran; after a lack of memory always all", () => {
    const crash = { kind: "crash", words: "it crashed (SIGSEGV)" } as const;
    expect(judge(testimony, crash).suspects).toEqual([one, other]);
    expect(judge({ ...testimony, executing: other }, crash).suspects).toEqual([other]);
    expect(judge({ ...testimony, executing: other }, { kind: "memory" }).suspects).toEqual([one, other]);
  });

  test("knows a stall by the lookout's note, whatever ended the process", () => {
    const stalled = { ...testimony, stalled: true, executing: one };
    for (const kind of ["outside", "unseen"] as const) {
      expect(judge(stalled, { kind })).toEqual({ how: "its event loop stood still", suspects: [one] });
    }
  });

  test("suspects nobody after a kill from outside, or together with the supervisor; else what nobody saw counts", () => {
    expect(judge(testimony, { kind: "outside" }).suspects).toEqual([]);
    expect(judge(testimony, { kind: "unseen" }).suspects).toEqual([]);
    expect(judge({ ...testimony, supervised: false }, { kind: "unseen" }).suspects).toEqual([one, other]);
  });

  test("is held once, by whoever comes first, and removes the journal", () => {
    const folder = newFolder();
    const path = join(folder, "1-1.running");
    new Journal({ path, slots: 1, supervised: false }).begin("mill", at(1));
    expect(abandonedJournals(folder)).toEqual([path]);
    const suspects = suspectsIn(folder, systemClock);
    expect(holdInquest(path, { kind: "unseen" }, suspects)?.suspects).toHaveLength(1);
    expect(holdInquest(path, { kind: "unseen" }, suspects)).toBeNull();
    expect(readdirSync(folder)).toEqual(["suspects"]);
    expect(suspects.find("mill", at(1))?.deaths).toBe(1);
  });

  test("is not held on a process that lives", () => {
    const folder = newFolder();
    open(folder);
    expect(abandonedJournals(folder)).toEqual([]);
  });
});

describe("suspects", () => {
  test("are counted over processes, acquitted, and forgotten after a day", () => {
    const path = join(newFolder(), "suspects");
    let nowMs = 0;
    const clock = { ...systemClock, nowMs: () => nowMs };
    const [mine, theirs] = [new Suspects(path, clock), new Suspects(path, clock)];
    expect(mine.none).toBe(true);
    mine.accuse([{ handler: "mill", ...at(1) }], "it crashed");
    theirs.accuse(
      [
        { handler: "mill", ...at(1) },
        { handler: "mill", ...at(2) },
      ],
      "it stood still",
    );
    mine.refresh();
    expect(mine.find("mill", at(1))).toEqual({ deaths: 2, how: "it stood still" });
    mine.acquit("mill", at(1));
    theirs.refresh();
    expect(theirs.find("mill", at(1))).toBeUndefined();
    nowMs = 25 * 3_600_000;
    expect(new Suspects(path, clock).none).toBe(true);
  });

  test("of another topic's life with the same offsets are none: the timestamp is part of the coordinates", () => {
    const suspects = new Suspects(join(newFolder(), "suspects"), systemClock);
    suspects.accuse([{ handler: "mill", ...at(1) }], "it crashed");
    expect(suspects.find("mill", { ...at(1), timestampMs: 5 })).toBeUndefined();
  });

  test("survive a line that a crash cut short", () => {
    const path = join(newFolder(), "suspects");
    writeFileSync(path, '{"record":"mi');
    expect(new Suspects(path, systemClock).none).toBe(true);
  });
});

/** Has one record's work run; `work` and `condemned` need not be told which. */
function run<Result>(
  watchdog: Watchdog,
  one: {
    readonly at: Coordinates;
    readonly work: () => Result | Promise<Result>;
    readonly condemned: (words: string) => Result;
  },
): Result | Promise<Result> {
  const condemned = (_: Coordinates, words: string) => one.condemned(words);
  const itself = (place: Coordinates) => place;
  return watchdog.run({ handler: "mill", at: itself, work: one.work, condemned }, one.at);
}

describe("the watchdog", () => {
  function accuse(folder: string, offset: number, deaths: number): void {
    for (let death = 0; death < deaths; death++) {
      suspectsIn(folder, systemClock).accuse([{ handler: "mill", ...at(offset) }], "it crashed");
    }
  }

  test("runs what nobody suspects at once, side by side", async () => {
    const watchdog = open(newFolder());
    const first = Promise.withResolvers<string>();
    let begun = 0;
    const runs = [1, 2].map(async (offset) =>
      run(watchdog, {
        at: at(offset),
        work: () => {
          begun++;
          return first.promise;
        },
        condemned: never,
      }),
    );
    expect(begun).toBe(2);
    first.resolve("done");
    expect(await Promise.all(runs)).toEqual(["done", "done"]);
  });

  test("answers at once what makes no promise, and has it written down while it runs", () => {
    const watchdog = open(newFolder());
    const seen = run(watchdog, {
      at: at(1),
      work: () => readJournal(watchdog.journal)?.executing?.offset,
      condemned: never,
    });
    expect(seen).toBe(1);
    expect(readJournal(watchdog.journal)).toMatchObject({ running: [], executing: null });
  });

  test("runs a suspect alone: after what ran, before what came later", async () => {
    const folder = newFolder();
    accuse(folder, 2, 1);
    const watchdog = open(folder);
    const order: string[] = [];
    const gates = [1, 2, 3].map(() => Promise.withResolvers<void>());
    const runs = [1, 2, 3].map(async (offset, index) =>
      run(watchdog, {
        at: at(offset),
        work: async () => {
          order.push(`${offset} begins`);
          await gates[index]?.promise;
          order.push(`${offset} ends`);
        },
        condemned: never,
      }),
    );
    for (const gate of gates) gate.resolve();
    await Promise.all(runs);
    expect(order).toEqual(["1 begins", "1 ends", "2 begins", "2 ends", "3 begins", "3 ends"]);
  });

  test("does not run what killed the process often enough, and forgets it once it is settled", async () => {
    const folder = newFolder();
    accuse(folder, 1, 3);
    const watchdog = open(folder);
    let ran = 0;
    const again = () =>
      run(watchdog, {
        at: at(1),
        work: async () => `run ${++ran}`,
        condemned: (words) => words,
      });
    expect(await again()).toBe(
      "the process died 3 times while this message was run; the last time it crashed",
    );
    expect(ran).toBe(0);
    watchdog.settled("mill", at(1));
    expect(await again()).toBe("run 1");
  });

  test("lets a run's own error through, and the next one run", async () => {
    const watchdog = open(newFolder());
    const failing = { at: at(1), condemned: never };
    expect(run(watchdog, { ...failing, work: () => Promise.reject(new Error("mine")) })).rejects.toThrow(
      "mine",
    );
    expect(await run(watchdog, { ...failing, work: async () => "next" })).toBe("next");
  });

  test("leaves nothing behind when it is closed, and does without a folder that cannot be used", () => {
    const folder = newFolder();
    const { journal } = open(folder);
    expect(existsSync(journal)).toBe(true);
    opened.splice(0).forEach((watchdog) => watchdog.close());
    expect(readdirSync(folder)).toEqual([]);
    writeFileSync(join(folder, "file"), "");
    const options = { folder: join(folder, "file"), stallMs: 0, deaths: 3, slots: 1, supervised: false };
    expect(openWatchdog({ ...options, clock: systemClock, log: silentLog })).toBeNull();
  });
});
