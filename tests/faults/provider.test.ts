/** What a provider of models may do to the pipeline: the quick case of `bun run faults 26`. */
import { providerCases } from "./provider-cases.ts";
import { testQuickCases } from "./quick.ts";

testQuickCases(providerCases, {
  atOnce: 1,
  // It has services of its own.
  services: () => Promise.resolve({ brokers: "", databaseUrl: "" }),
});
