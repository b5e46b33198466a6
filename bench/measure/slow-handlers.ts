/**
 * 256 handlers of 50 ms in flight, 10,000 messages of 1,000 keys in order: how near to the ideal wall time?
 *
 * In: a stage. Out: ideal over measured, run by run. Ideal is 40 rounds of 50 ms, as no plan can do it faster.
 */
import { join } from "node:path";
import { runChild } from "../harness/child.ts";
import { measurement } from "../harness/measurement.ts";
import { runtimeEnvironment } from "../harness/runtime-environment.ts";

const IN_FLIGHT = 256;
const TAKES_MS = 50;
const MESSAGES = 10_000;
const KEYS = 1_000;
/** As a topic has by default. */
const PARTITIONS = 12;
const IDEAL_MS = Math.ceil(MESSAGES / IN_FLIGHT) * TAKES_MS;

export const slowHandlers = measurement(
  {
    name: "slow-handlers",
    row: "256 slow handlers (50 ms) in flight",
    reference: `ideal wall time (${IDEAL_MS} ms) over the measured one, ${MESSAGES} messages, ${KEYS} keys in order`,
    unit: "ratio",
    better: "higher",
    must: 0.9,
    aim: 0.98,
  },
  async (stage) => {
    const databaseUrl = await stage.newDatabase();
    const { topic } = await stage.fillTopic({
      messages: MESSAGES,
      bytes: 256,
      headers: 7,
      keys: KEYS,
      partitions: PARTITIONS,
    });
    const pairs = [];
    for (let run = 0; run < stage.pairs; run++) {
      const name = `slow-${process.pid}-${run}`;
      const { wallMs, violations, missing } = await runChild<Result>({
        command: [process.execPath, join(import.meta.dir, "..", "runtime", "slow.ts")],
        env: {
          ...runtimeEnvironment(stage, databaseUrl),
          RUN: name,
          NAME: name,
          FROM: topic,
          MESSAGES: String(MESSAGES),
          IN_FLIGHT: String(IN_FLIGHT),
          TAKES_MS: String(TAKES_MS),
        },
      });
      stage.say(`  ${wallMs.toFixed(0)} ms, ${violations} violations of order`);
      pairs.push({ value: IDEAL_MS / wallMs, faults: violations + missing });
    }
    await stage.dropTopics(topic);
    return pairs;
  },
);

interface Result {
  readonly wallMs: number;
  readonly violations: number;
  readonly missing: number;
}
