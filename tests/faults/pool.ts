/**
 * Runs cases beside each other, a few at a time, and hands each verdict to whoever asks for it.
 */
import type { FaultCase, Services } from "./case.ts";
import type { RunVerdict } from "./run.ts";

export interface Ran {
  readonly verdict: RunVerdict;
  readonly tookMs: number;
}

/** Starts all of them, `atOnce` at a time, in the order given. A case that throws is one that failed. */
export function runCases(work: {
  readonly cases: readonly FaultCase[];
  readonly services: Promise<Services>;
  readonly atOnce: number;
}): ReadonlyMap<FaultCase, Promise<Ran>> {
  const results = new Map(work.cases.map((each) => [each, Promise.withResolvers<Ran>()]));
  const waiting = [...work.cases];
  const runner = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      results.get(next)?.resolve(await runOne(next, work.services));
    }
  };
  for (let at = 0; at < work.atOnce; at++) void runner();
  return new Map([...results].map(([each, { promise }]) => [each, promise]));
}

async function runOne(one: FaultCase, services: Promise<Services>): Promise<Ran> {
  const startMs = performance.now();
  const verdict = await services
    .then((found) => one.run(found))
    .catch((error: unknown): RunVerdict => ({
      passed: false,
      successes: 0,
      repeats: 0,
      complaints: String(error),
    }));
  return { verdict, tookMs: performance.now() - startMs };
}
