/**
 * More partitions, one process: what does a message of the JSON hop cost when its topic has 4, 64 or 256?
 *
 * In: a stage. Out: a point for each number of partitions.
 */
import { measureHop } from "../harness/hop.ts";
import type { Stage } from "../harness/stage.ts";
import { runtimeHop } from "../measure/json-hop.ts";

const MESSAGES = 600_000;
const QUICK_MESSAGES = 100_000;

export interface PartitionsPoint {
  readonly partitions: number;
  readonly perSecond: number;
  readonly cpuUsPerMessage: number;
}

export async function measurePartitions(
  stage: Stage,
  counts: readonly number[],
): Promise<readonly PartitionsPoint[]> {
  const points: PartitionsPoint[] = [];
  const { hop, close } = await runtimeHop(stage, "key");
  const messages = stage.quick ? QUICK_MESSAGES : MESSAGES;
  for (const partitions of counts) {
    const input = await stage.fillTopic({ messages, bytes: 256, headers: 7, partitions });
    const { messagesPerSecond, cpuUsPerMessage, faults } = await measureHop(stage, input, hop);
    await stage.dropTopics(input.topic);
    if (faults > 0) throw new Error(`${faults} messages were wrong with ${partitions} partitions`);
    points.push({ partitions, perSecond: messagesPerSecond, cpuUsPerMessage });
  }
  close();
  return points;
}
