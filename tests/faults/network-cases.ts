/**
 * What networks and brokers do under load: the workers reach a real broker of their own through a proxy.
 *
 * In: Postgres; the broker is started here. Out: cases. Never here: the proxy's own ways.
 */
import { type OwnKafkaBroker, startKafka } from "../services/kafka.ts";
import { freePort } from "../services/port.ts";
import type { FaultCase, Services } from "./case.ts";
import { underLoad } from "./kill-cases.ts";
import { TcpProxy } from "./proxy.ts";
import type { RunVerdict } from "./run.ts";

interface Network {
  readonly broker: OwnKafkaBroker;
  readonly proxy: TcpProxy;
}

const LEAST_MESSAGES = 1_000;

/** A broker that tells its clients the proxy's address where they come by the proxy. */
async function behindProxy(
  { databaseUrl }: Services,
  harm: (network: Network) => Promise<void>,
): Promise<RunVerdict> {
  const [direct, behind, controller, front] = [freePort(), freePort(), freePort(), freePort()];
  const at = (port: number) => `127.0.0.1:${port}`;
  const proxy = await TcpProxy.listen({ port: front, target: behind });
  const broker = await startKafka({
    settings: {
      listeners: `PLAINTEXT://${at(direct)},PROXIED://${at(behind)},CONTROLLER://${at(controller)}`,
      "advertised.listeners": `PLAINTEXT://${at(direct)},PROXIED://${at(front)}`,
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
      "controller.quorum.voters": `1@${at(controller)}`,
    },
  });
  const options = {
    brokers: at(direct),
    workerBrokers: at(front),
    databaseUrl,
    mayRepeat: "when in doubt",
  } as const;
  try {
    return await underLoad(options, LEAST_MESSAGES, () => harm({ broker, proxy }));
  } finally {
    await proxy.close();
    await broker.stop();
  }
}

async function shortTroubles({ proxy }: Network): Promise<void> {
  proxy.change({ latencyMs: 200 });
  await Bun.sleep(2_000);
  proxy.change({ pieceBytes: 7 });
  await Bun.sleep(1_000);
  for (let reset = 0; reset < 5; reset++) {
    proxy.reset();
    await Bun.sleep(300);
  }
  for (const held of ["to_client", "to_server", "both"] as const) {
    proxy.change({ held });
    await Bun.sleep(HELD_MS);
    proxy.change({});
    await Bun.sleep(500);
  }
}

/** Longer than the workers' session of 3 s. */
const HELD_MS = 4_000;
const BLACK_HOLE_MS = 60_000;

async function blackHole({ proxy }: Network): Promise<void> {
  await Bun.sleep(1_000);
  proxy.change({ held: "both" });
  await Bun.sleep(BLACK_HOLE_MS);
  proxy.change({});
}

async function killedBroker({ broker }: Network): Promise<void> {
  for (let kill = 0; kill < 3; kill++) {
    await Bun.sleep(1_000);
    await broker.kill();
    await broker.restart();
  }
}

export const networkCases: readonly FaultCase[] = [
  {
    number: 15,
    title: "latency of 200 ms, split bytes, resets, half-open connections, a short black hole",
    expected: "nothing lost; repeats carry the same ids",
    quick: false,
    run: (services) => behindProxy(services, shortTroubles),
  },
  {
    number: 14,
    title: "the network is a black hole for 60 s",
    expected: "back by itself; nothing lost; repeats carry the same ids",
    quick: false,
    run: (services) => behindProxy(services, blackHole),
  },
  {
    number: 14,
    title: "the broker is killed and started again, three times",
    expected: "back by itself; nothing lost; repeats carry the same ids",
    quick: false,
    run: (services) => behindProxy(services, killedBroker),
  },
];
