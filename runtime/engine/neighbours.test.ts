import { expect, test } from "bun:test";
import { heldClock } from "../../tests/store/held-clock.ts";
import type { Store } from "../store/store.ts";
import { LIMITS } from "./limits.ts";
import { Neighbours } from "./neighbours.ts";

test("rows give way while another handler of the process has work, and not to their own", async () => {
  const clock = heldClock();
  const neighbours = new Neighbours(clock);
  const gaveWay: (boolean | undefined)[] = [];
  const store: Pick<Store, "schedule" | "bury"> = {
    async schedule(messages, options) {
      gaveWay.push(options?.giveWay);
      return messages.length;
    },
    bury: async (letters) => letters.length,
  };
  const limited = neighbours.over("limited", store);
  neighbours.took("limited");
  await limited.schedule([]);
  neighbours.took("calm");
  await limited.schedule([]);
  await clock.pass(LIMITS.neighbourMs - 1);
  neighbours.took("limited");
  await limited.schedule([]);
  await clock.pass(1);
  await limited.schedule([]);
  expect(gaveWay).toEqual([false, true, true, false]);
});
