/**
 * All benchmarks with their limits: what `bun run bench` lists.
 */
import type { Measurement } from "./harness/measurement.ts";
import { consumeProduce } from "./measure/consume-produce.ts";
import { door } from "./measure/door.ts";
import { exactlyOnce } from "./measure/exactly-once.ts";
import { fourHops } from "./measure/four-hops.ts";
import { jsonHop } from "./measure/json-hop.ts";
import { jsonPeers } from "./measure/json-peers.ts";
import { memory } from "./measure/memory.ts";
import { rebalance } from "./measure/rebalance.ts";
import { slowHandlers } from "./measure/slow-handlers.ts";
import { besideSlowSockets } from "./measure/slow-sockets.ts";
import { startUp } from "./measure/start-up.ts";
import { bulk } from "./scheduler/bulk.ts";
import { drain, flat } from "./scheduler/drain.ts";
import { lateness } from "./scheduler/lateness.ts";
import { schedulePeers } from "./scheduler/peers.ts";
import { recoveries } from "./scheduler/recovery.ts";
import { storm } from "./scheduler/storm.ts";

export const MEASUREMENTS: readonly Measurement[] = [
  ...consumeProduce,
  ...jsonHop,
  ...jsonPeers,
  fourHops,
  slowHandlers,
  ...memory,
  rebalance,
  ...exactlyOnce,
  startUp,
  ...door,
  besideSlowSockets,
  lateness,
  drain,
  flat,
  bulk,
  schedulePeers,
  ...recoveries,
  storm,
];
