/** kill -9 at every failpoint, with the auditor's verdict: the quick cases of `bun run faults`. */
import { failpointCases } from "./failpoint-cases.ts";
import { testQuickCases } from "./quick.ts";

testQuickCases(failpointCases, { atOnce: 3 });
