import { createMemoryStore } from "../../runtime/store/memory.ts";
import { storeContract, type StoreUnderTest } from "./contract.ts";
import { fenceContract } from "./fence-contract.ts";
import { heldClock } from "./held-clock.ts";

const make = async (): Promise<StoreUnderTest> => {
  const clock = heldClock();
  const store = createMemoryStore({ clock });
  return {
    store,
    pass: (ms) => clock.pass(ms),
    async cancel(messageId) {
      const found = store.waiting.find(({ message }) => message.messageId === messageId);
      if (found) store.cancel(found.row);
    },
  };
};

storeContract("the store in memory", make);
fenceContract("the store in memory", make);
