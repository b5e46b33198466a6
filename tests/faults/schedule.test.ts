/** Frozen schedulers and jumping clocks: the quick cases of `bun run faults`. */
import { testQuickCases } from "./quick.ts";
import { scheduleCases } from "./schedule-cases.ts";

testQuickCases(scheduleCases, {
  atOnce: 2,
  services: () => Promise.resolve({ brokers: "", databaseUrl: "" }),
});
