import { expect, test } from "bun:test";
import type { CommittedOffset } from "../bus/bus.ts";
import { systemClock, type Clock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import { silentLog, type Log } from "../ground/log.ts";
import { Committer } from "./committer.ts";
import { OwnedPartition } from "./partition.ts";

function finishedPartition(topic = "t"): OwnedPartition {
  const partition = new OwnedPartition({ topic, partition: 0 });
  partition.frontier.finish(partition.frontier.begin(7));
  return partition;
}

function committerThat(
  commit: (offsets: readonly CommittedOffset[]) => Promise<void>,
  { log = silentLog, clock = systemClock }: { readonly log?: Log; readonly clock?: Clock } = {},
): Committer {
  return new Committer({ clock, log, commit });
}

/** Offsets 0 and 2 are finished, 1 is not: what is finished above it goes beside the commit. */
function partitionWithGap(): OwnedPartition {
  const life = "00112233445566778899aabbccddeeff-0";
  const partition = new OwnedPartition({ topic: "t", partition: 0, life });
  const tickets = [0, 1, 2].map((offset) => partition.frontier.begin(offset));
  for (const ticket of [tickets[0], tickets[2]]) if (ticket) partition.frontier.finish(ticket);
  return partition;
}

test("a commit before partitions are given back is tried again while the group gives out partitions anew", async () => {
  const tried: number[] = [];
  const partition = finishedPartition();
  const committer = committerThat(async (offsets) => {
    tried.push(offsets[0]?.offset ?? -1);
    await Promise.resolve();
    if (tried.length < 3) throw new CauceError("broker", "REBALANCE_IN_PROGRESS", { retryable: true });
  });
  await committer.flush([partition], 5_000);
  expect(tried).toEqual([8, 8, 8]);
  expect(partition.frontier.moved).toBe(false);
});

test("a commit that can never succeed is not tried again, and the partition's truth does not advance", async () => {
  let tries = 0;
  const partition = finishedPartition();
  const committer = committerThat(async () => {
    tries++;
    await Promise.resolve();
    throw new CauceError("broker", "not this member's any more");
  });
  await committer.flush([partition], 5_000);
  expect(tries).toBe(1);
  expect(partition.frontier.moved).toBe(true);
});

test("a partition that is somebody else's by now does not cost the others what is finished above their commits", async () => {
  const sent: (readonly CommittedOffset[])[] = [];
  const committer = committerThat(async (offsets) => {
    sent.push(offsets);
    await Promise.resolve();
    // The others' are committed then.
    throw new CauceError("broker", "not committed, because not this member's any more: t/1");
  });
  await committer.flush([partitionWithGap()], 5_000);
  expect(
    sent.map((offsets) => offsets.map(({ offset, metadata }) => [offset, metadata !== undefined])),
  ).toEqual([[[1, true]]]);
});

test("where the broker refuses the text alone, the offsets are committed without it", async () => {
  const sent: (readonly CommittedOffset[])[] = [];
  const partition = partitionWithGap();
  const committer = committerThat(async (offsets) => {
    sent.push(offsets);
    await Promise.resolve();
    if (offsets.some(({ metadata }) => metadata !== undefined))
      throw new CauceError("metadata_refused", "too long");
  });
  await committer.flush([partition], 5_000);
  expect(sent.map((offsets) => offsets.map(({ metadata }) => metadata === undefined))).toEqual([
    [false],
    [true],
  ]);
  expect(partition.frontier.moved).toBe(false);
});

test("a commit behind one that the group holds up has all the time it was given, and says what it gives up", async () => {
  const timers: { readonly delayMs: number; readonly call: () => void }[] = [];
  const clock: Clock = {
    ...systemClock,
    after(delayMs, call) {
      timers.push({ delayMs, call });
      return () => undefined;
    },
  };
  const lines: unknown[] = [];
  const log: Log = { ...silentLog, warn: (event, fields) => void lines.push([event, fields]) };
  const held = Promise.withResolvers<void>();
  const partition = finishedPartition();
  const committer = committerThat(() => held.promise, { clock, log });
  committer.dirty(partition);
  timers.shift()?.call();
  const flushed = committer.flush([partition], 15_000);
  expect(timers.map(({ delayMs }) => delayMs)).toEqual([15_000]);
  timers[0]?.call();
  await flushed;
  expect(lines).toMatchObject([
    [expect.stringContaining("without a commit"), { partitions: ["t/0"], offsets: [8] }],
  ]);
  held.resolve();
});

test("a commit of one topic waits for none of another topic, whose member may wait for this one to drain", async () => {
  const held = Promise.withResolvers<void>();
  const behind = finishedPartition("behind");
  const drained = finishedPartition("drained");
  const timers: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    after(_delayMs, call) {
      timers.push(call);
      return () => undefined;
    },
  };
  const committer = committerThat(
    ([offset]) => (offset?.topic === "behind" ? held.promise : Promise.resolve()),
    { clock },
  );
  committer.dirty(behind);
  timers.shift()?.();
  await committer.flush([drained], 5_000);
  expect([behind, drained].map(({ frontier }) => frontier.moved)).toEqual([true, false]);
  held.resolve();
});
