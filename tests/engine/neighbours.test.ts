/** A handler whose messages fail gives way to the others of its process, while they have work. */
import { expect, test } from "bun:test";
import { handler } from "cauce";
import { Neighbours } from "../../runtime/engine/neighbours.ts";
import { heldClock } from "../store/held-clock.ts";
import { numbers, stage } from "./stage.ts";

const failing = handler({
  name: "failing",
  on: numbers,
  retry: [[Error, { delay: "constant", base: "1h" }]],
  handle() {
    throw new Error("429");
  },
});
const calm = handler({ name: "calm", on: numbers, handle() {} });

test("its rows give way where another handler took records, and do not where it is alone", async () => {
  const neighbours = new Neighbours(heldClock());
  const alone = await stage(failing, { neighbours });
  await alone.send({ id: "a", n: 1 });
  await alone.settled(1);
  expect(alone.store.gaveWay).toEqual([false]);

  const { broker } = alone;
  const beside = await stage(calm, { neighbours, broker });
  await beside.settled(1);
  await alone.send({ id: "b", n: 2 });
  await alone.settled(2);
  expect(alone.store.gaveWay).toEqual([false, true]);
});
