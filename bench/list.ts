/**
 * All benchmarks with their limits: what `bun run bench` lists.
 */
import type { Measurement } from "./harness/measurement.ts";
import { consumeProduce } from "./measure/consume-produce.ts";
import { jsonHop } from "./measure/json-hop.ts";
import { jsonPeers } from "./measure/json-peers.ts";

export const MEASUREMENTS: readonly Measurement[] = [...consumeProduce, ...jsonHop, ...jsonPeers];
