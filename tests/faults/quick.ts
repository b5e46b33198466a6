/**
 * The quick cases of a list as tests: what `bun run test` runs of the fault suite.
 */
import { expect, test } from "bun:test";
import { sharedKafka } from "../services/kafka.ts";
import { createDatabase } from "../services/postgres.ts";
import type { FaultCase, Services } from "./case.ts";
import { runCases } from "./pool.ts";

/** The first case waits for a broker that may have to be started; each for those before it. */
const CASE_MS = 180_000;

export function testQuickCases(
  cases: readonly FaultCase[],
  { atOnce, services = findServices }: { atOnce: number; services?: () => Promise<Services> },
): void {
  const quick = cases.filter((each) => each.quick);
  let running: ReturnType<typeof runCases> | undefined;
  for (const each of quick) {
    test(
      `${each.title}: ${each.expected}`,
      async () => {
        running ??= runCases({ cases: quick, services: services(), atOnce });
        const ran = await running.get(each);
        // By itself first: a difference of objects would cut it short.
        expect(ran?.verdict.complaints).toBe("");
        expect(ran?.verdict.passed).toBe(true);
      },
      CASE_MS,
    );
  }
}

export async function findServices(): Promise<Services> {
  const [kafka, databaseUrl] = await Promise.all([sharedKafka(), createDatabase("faults")]);
  return { brokers: kafka.brokers, databaseUrl };
}
