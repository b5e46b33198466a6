/** What networks do, with the auditor's verdict: the quick cases of `bun run faults`. */
import { networkCases } from "./network-cases.ts";
import { testQuickCases } from "./quick.ts";

testQuickCases(networkCases, { atOnce: 1 });
