/**
 * What networks and brokers do under load: the workers reach a real broker of their own through a proxy.
 *
 * In: Postgres; the broker is started here. Out: cases. Never here: the proxy's own ways.
 */
import { type BehindProxy, startBehind } from "./behind-proxy.ts";
import type { FaultCase, Services } from "./case.ts";
import { underLoad } from "./kill-cases.ts";
import { TcpProxy } from "./proxy.ts";
import type { RunVerdict } from "./run.ts";

type Network = BehindProxy<TcpProxy>;

const LEAST_MESSAGES = 1_000;

async function behindProxy(
  { databaseUrl }: Services,
  harm: (network: Network) => Promise<void>,
): Promise<RunVerdict> {
  const network = await startBehind((ports) => TcpProxy.listen(ports));
  const options = {
    brokers: network.direct,
    workerBrokers: network.proxied,
    databaseUrl,
    mayRepeat: "when in doubt",
  } as const;
  try {
    return await underLoad(options, LEAST_MESSAGES, () => harm(network));
  } finally {
    await network.stop();
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
