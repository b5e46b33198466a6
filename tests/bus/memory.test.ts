import { MemoryBroker } from "../../runtime/bus/memory-broker.ts";
import { MemoryBus } from "../../runtime/bus/memory.ts";
import { busContract } from "./contract.ts";

busContract("in memory", () => {
  const broker = new MemoryBroker();
  return Promise.resolve({
    open: () => Promise.resolve(new MemoryBus({ broker })),
    stop: () => Promise.resolve(),
  });
});
