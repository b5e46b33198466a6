/** Errors that a broker answers and messages that nobody can handle, with the auditor's verdict: the quick cases of `bun run faults`. */
import { messageCases } from "./message-cases.ts";
import { mockCases } from "./mock-cases.ts";
import { testQuickCases } from "./quick.ts";

testQuickCases([...mockCases, ...messageCases], {
  atOnce: 2,
  services: () => Promise.resolve({ brokers: "", databaseUrl: "" }),
});
