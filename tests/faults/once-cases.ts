/**
 * Handlers whose outputs are there exactly once, under kills, rebalances and late ends of transactions, on a real broker.
 *
 * In: a real broker and Postgres; the broker of the late ends is started here. Out: cases. A message that went straight through may
 * not be there twice, whatever was done. Never here: what counts as right (`run.ts`, the auditor).
 */
import { startBehind } from "./behind-proxy.ts";
import type { FaultCase, Services } from "./case.ts";
import { randomKills, underLoad } from "./kill-cases.ts";
import { RequestProxy } from "./request-proxy.ts";
import type { RunVerdict } from "./run.ts";

/** So many ends are held until their producers gave them up, and so many are sent twice. */
const GIVEN_UP = 2;
const SENT_TWICE = 20;
/** What goes on meanwhile, before the late one arrives. */
const LATER_MS = 300;

async function lateEnds({ databaseUrl }: Services): Promise<RunVerdict> {
  const behind = await startBehind((ports) => RequestProxy.listen(ports));
  const options = { brokers: behind.direct, workerBrokers: behind.proxied, databaseUrl, once: true };
  try {
    return await underLoad(options, 1_000, async () => {
      for (let end = 0; end < GIVEN_UP + SENT_TWICE; end++) {
        const held = await behind.proxy.holdNext("endTxn");
        if (end >= GIVEN_UP) held.cut();
        await held.givenUp;
        await Bun.sleep(LATER_MS);
        await held.release();
      }
    });
  } finally {
    await behind.stop();
  }
}

export const onceCases: readonly FaultCase[] = [
  {
    number: 1,
    title: "exactly once: 2 random kills across 3 workers under load",
    expected: "nothing lost; a reader of committed records sees nothing repeated",
    quick: true,
    run: (services) => randomKills({ ...services, once: true }, { kills: 2, leastMessages: 1_000 }),
  },
  {
    number: 5,
    title: "exactly once: 20 random kills across 3 workers under load, each a rebalance",
    expected: "nothing lost; a reader of committed records sees nothing repeated",
    quick: false,
    run: (services) => randomKills({ ...services, once: true }, { kills: 20, leastMessages: 4_000 }),
  },
  {
    number: 28,
    title:
      "exactly once: EndTxn held past its transaction's time twice, and 20 times sent twice, arriving late",
    expected:
      "the producer is replaced; nothing torn, nothing repeated; no late end commits a later transaction",
    quick: false,
    run: lateEnds,
  },
];
