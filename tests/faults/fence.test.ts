/** Keys that are held back, with the auditor's verdict: the quick case of `bun run faults`. */
import { fenceCases } from "./fence-cases.ts";
import { testQuickCases } from "./quick.ts";

testQuickCases(fenceCases, { atOnce: 1 });
