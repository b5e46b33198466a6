import { createMemoryStore } from "../../runtime/store/memory.ts";
import { storeContract } from "./contract.ts";
import { heldClock } from "./held-clock.ts";

storeContract("the store in memory", async () => {
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
});
