/**
 * Leaves a group of the classic protocol, in a way that its coordinator hears of.
 *
 * In: a client that is a member, or on its way to be one. Out: LeaveGroup is sent. librdkafka (2.16) sends none when it closes a client that
 * owns no partition, nor when it closes one in the middle of a rebalance; and one that waits behind an unanswered JoinGroup is given up after
 * 5 s. The group would then wait for this member until its session ends. To unsubscribe does what is right, once the rebalance is over.
 * Never here: partitions; whoever owns them answers the group's events meanwhile.
 */
import { pause, systemClock } from "../ground/clock.ts";
import type { Pump } from "./pump.ts";
import { text } from "./symbols.ts";

/** Waits at most `withinMs`, and no longer once `hopeless` says that no broker can be reached. */
export async function leaveGroup(pump: Pump, withinMs: number, hopeless: () => boolean): Promise<void> {
  const untilMs = performance.now() + withinMs;
  const untilMember = async (member: boolean) => {
    while (isMember(pump) !== member && performance.now() < untilMs && !hopeless()) {
      await pause(systemClock, LOOK_MS);
    }
  };
  // A broker that has given an id to a newcomer waits for that, too.
  await untilMember(true);
  pump.library.native.rd_kafka_unsubscribe(pump.client);
  await untilMember(false);
}

/** librdkafka forgets its id when it sends LeaveGroup. Asks its own thread: 0.1 ms. */
function isMember({ library: { native }, client }: Pump): boolean {
  const id = native.rd_kafka_memberid(client);
  if (!id) return false;
  const known = text(id) !== "";
  native.rd_kafka_mem_free(client, id);
  return known;
}

const LOOK_MS = 10;
