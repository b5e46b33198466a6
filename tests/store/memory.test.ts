import { createMemoryStore } from "../../runtime/store/memory.ts";
import { byHandContract, type HandsUnderTest } from "./by-hand-contract.ts";
import { turnContract } from "./turn-contract.ts";
import { storeContract } from "./contract.ts";
import { fenceContract } from "./fence-contract.ts";
import { heldClock } from "./held-clock.ts";

const make = async (): Promise<HandsUnderTest> => {
  const clock = heldClock();
  const store = createMemoryStore({ clock });
  const rowOf = (messageId: string) =>
    [...store.waiting, ...store.parked].find(({ message }) => message.messageId === messageId)?.row;
  return {
    store,
    pass: (ms) => clock.pass(ms),
    async cancel(messageId) {
      const row = rowOf(messageId);
      if (row !== undefined) store.cancel(row);
    },
    async write(message) {
      store.write(message);
    },
    async edit(messageId, value) {
      const row = rowOf(messageId);
      if (row === undefined || !store.edit(row, Buffer.from(value))) throw new Error(`no ${messageId}`);
    },
    parked: async () => store.parked.map(({ message: { messageId }, problem }) => [messageId, problem]),
  };
};

storeContract("the store in memory", make);
fenceContract("the store in memory", make);
byHandContract("the store in memory", make);
turnContract("the store in memory", make);
