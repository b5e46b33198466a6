import { expect, test } from "bun:test";
import type { CommittedOffset } from "../bus/bus.ts";
import { systemClock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import { silentLog } from "../ground/log.ts";
import { Committer } from "./committer.ts";
import { OwnedPartition } from "./partition.ts";

function finishedPartition(): OwnedPartition {
  const partition = new OwnedPartition({ topic: "t", partition: 0 });
  partition.frontier.finish(partition.frontier.begin(7));
  return partition;
}

function committerThat(commit: (offsets: readonly CommittedOffset[]) => Promise<void>): Committer {
  return new Committer({ clock: systemClock, log: silentLog, commit });
}

test("a commit before partitions are given back is tried again while the group gives out partitions anew", async () => {
  const tried: number[] = [];
  const partition = finishedPartition();
  const committer = committerThat(async (offsets) => {
    tried.push(offsets[0]?.offset ?? -1);
    await Promise.resolve();
    if (tried.length < 3) throw new CauceError("broker", "REBALANCE_IN_PROGRESS", { retryable: true });
  });
  await committer.flush([partition]);
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
  await committer.flush([partition]);
  expect(tries).toBe(1);
  expect(partition.frontier.moved).toBe(true);
});
