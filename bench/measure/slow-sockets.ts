/**
 * What others notice of an attacker who holds 5,000 connections open with heads that never end.
 *
 * In: a stage. Out: p99 of hits beside them over p99 without, pair by pair. The attacker comes from addresses enough to get in.
 */
import { join } from "node:path";
import { questionId } from "../../handlers/shared/questions/identity.ts";
import { migrateTables } from "../../handlers/shared/storage/migrate.ts";
import { startUpstashFront } from "../../deploy/upstash-front.ts";
import { freePort } from "../../tests/services/port.ts";
import { startRedis } from "../../tests/services/redis.ts";
import { withChild } from "../harness/child.ts";
import { KNOWN, oneDoor, ourDoor, TOKEN, type Turn } from "../harness/doors.ts";
import type { Measurement } from "../harness/measurement.ts";
import { interleave } from "../harness/pairs.ts";
import { questionAt } from "../reference/asker.ts";
import { fillAnswers } from "../runtime/fill-answers.ts";

export const besideSlowSockets: Measurement = {
  benchmarks: [
    {
      name: "door-slow-sockets-p99",
      row: "door: p99 beside 5,000 slow connections vs without",
      reference:
        "p99 of hits at 500/s beside 5,000 connections that send a byte every 5 s, over p99 without them",
      unit: "ratio",
      better: "lower",
      must: 2,
      aim: 1.2,
    },
  ],
  async measure(stage) {
    const redis = await startRedis(() => {});
    const front = startUpstashFront({ redisUrl: redis.url, token: TOKEN });
    try {
      const url = await stage.newDatabase();
      await migrateTables(url);
      await fillAnswers({
        url,
        redisUrl: front.url,
        token: TOKEN,
        count: KNOWN,
        questionAt,
        idOf: questionId,
      });
      const start = (port: number) => {
        const { env, ...rest } = ourDoor(stage, { port, kind: "db", url, redisUrl: front.url });
        // As where others reach it: heads of one address are its own business, up to 256.
        return { ...rest, env: { ...env, DOOR_CONNECTIONS: "10000", DOOR_CONNECTIONS_PER_ADDRESS: "256" } };
      };
      const turn = async (sockets: number): Promise<Turn> => {
        const port = freePort();
        const told = oneDoor(
          { kind: "db", stage, rate: SLOW_RATE },
          sockets === 0 ? "alone" : `beside ${sockets}`,
          start,
        );
        if (sockets === 0) return await told.turn(port);
        const attack = { port, sockets, addresses: Math.ceil(sockets / 250) };
        return await told.turn(port, async (ask) => await beside(attack, ask));
      };
      const pairs = await interleave(stage.pairs, {
        reference: () => turn(0),
        ours: () => turn(SLOW_SOCKETS),
      });
      return new Map([
        [
          "door-slow-sockets-p99",
          pairs.map(({ reference, ours }) => ({
            value: ours.p99Ms / reference.p99Ms,
            faults: reference.faults + ours.faults,
          })),
        ],
      ]);
    } finally {
      await front.close();
      await redis.stop();
    }
  },
};

const SLOW_SOCKETS = 5_000;
const SLOW_RATE = 500;

/** Asks while the attack goes on, once all of its connections are open. */
async function beside<Result>(
  attack: { readonly port: number; readonly sockets: number; readonly addresses: number },
  ask: () => Promise<Result>,
): Promise<Result> {
  const ready = Promise.withResolvers<void>();
  const command = [
    process.execPath,
    join(import.meta.dir, "../reference/slow-sockets.ts"),
    JSON.stringify(attack),
  ];
  return await withChild({ command, onLine: () => ready.resolve() }, async () => {
    await ready.promise;
    return await ask();
  });
}
