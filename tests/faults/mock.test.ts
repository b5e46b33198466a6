/** Errors that a broker answers, with the auditor's verdict: the quick cases of `bun run faults`. */
import { mockCases } from "./mock-cases.ts";
import { testQuickCases } from "./quick.ts";

testQuickCases(mockCases, { atOnce: 2, services: () => Promise.resolve({ brokers: "", databaseUrl: "" }) });
