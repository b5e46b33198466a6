/** Workers killed, stopped and frozen under load, with the auditor's verdict: the quick cases of `bun run faults`. */
import { killCases } from "./kill-cases.ts";
import { testQuickCases } from "./quick.ts";

testQuickCases(killCases, { atOnce: 1 });
