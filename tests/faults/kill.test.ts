/** Workers killed and stopped, a topic repartitioned, on a real broker, with the auditor's verdict: quick cases of `bun run faults`. */
import { killCases } from "./kill-cases.ts";
import { testQuickCases } from "./quick.ts";
import { onceCases } from "./once-cases.ts";
import { topicCases } from "./topic-cases.ts";

testQuickCases([...killCases, ...onceCases, ...topicCases], { atOnce: 2 });
