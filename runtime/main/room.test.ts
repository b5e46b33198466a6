import { afterEach, expect, test } from "bun:test";
import { MemoryBroker } from "../bus/memory-broker.ts";
import { MemoryBus } from "../bus/memory.ts";
import { systemClock, type Clock } from "../ground/clock.ts";
import { silentLog } from "../ground/log.ts";
import { meterRoom, type Room } from "./room.ts";

const open: Room[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((room) => room.stop()));
});

/** A room on a broker of its own, measured only when told to. */
function meter(broker = new MemoryBroker()) {
  broker.ensure("asked", 1);
  let measure = () => {};
  const clock: Clock = {
    ...systemClock,
    after(_delayMs, call) {
      measure = call;
      return () => {};
    },
  };
  const groups = [{ group: "g", topics: ["asked"] }];
  const room = meterRoom({ bus: new MemoryBus({ broker }), groups, clock, log: silentLog });
  open.push(room);
  const measured = async () => {
    measure();
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  };
  return { room, broker, measured };
}

const record = (bytes: number) => ({ topic: "asked", key: null, value: new Uint8Array(bytes), headers: [] });

test("what this process publishes counts at once, before the next measurement", async () => {
  const { room, measured } = meter();
  await measured();
  expect(room.hasRoom()).toBe(true);
  for (let n = 0; n < 9; n++) await room.bus.publish([record(300_000)]);
  expect(room.hasRoom()).toBe(false);
});

test("what nobody has worked off is measured in bytes of the largest record seen, and room comes back when it is", async () => {
  const { room, broker, measured } = meter();
  for (let n = 0; n < 9; n++) await room.bus.publish([record(300_000)]);
  await measured();
  await measured();
  expect(room.hasRoom()).toBe(false);
  broker.group("g").committed.set("asked/0", 9);
  await measured();
  await measured();
  expect(room.hasRoom()).toBe(true);
});

test("many small records are no reason to stop", async () => {
  const { room, measured } = meter();
  await room.bus.publish(Array.from({ length: 300 }, () => record(1_000)));
  await measured();
  expect(room.hasRoom()).toBe(true);
});
