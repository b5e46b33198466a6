/**
 * A client that asks for the committed offsets of groups, of any group.
 *
 * In: settings, a group. Out: offsets, as in offsets.ts. It is a consumer that never joins: where the coordinator is no longer the one
 * that was asked (it moved, or loads), librdkafka tells the client's own group so, and a client without one is a null pointer that
 * ends the process (confluentinc/librdkafka#5040, seen with 2.16). Its `group.id` is the first group that it was asked about, which it
 * has the right to ask about. Never here: joining, reading, committing.
 */
import type { TopicPartition } from "../bus/bus.ts";
import type { ClientConfig } from "./client.ts";
import type { ClientEvent } from "./events.ts";
import { committedOffsets, OFFSET_ANSWERS } from "./offsets.ts";
import type { PartitionEntry } from "./partitions.ts";
import { Pump } from "./pump.ts";
import { Requests } from "./requests.ts";
import type { Library } from "./symbols.ts";

export interface GroupAskerOptions {
  readonly library: Library;
  readonly config: ClientConfig;
  readonly timeoutMs: number;
  readonly onEvent: (event: ClientEvent) => void;
}

export class GroupAsker {
  readonly #options: GroupAskerOptions;
  #opened: Promise<{ readonly pump: Pump; readonly requests: Requests }> | undefined;
  #closed = false;

  /** Nothing is opened before the first question. */
  constructor(options: GroupAskerOptions) {
    this.#options = options;
  }

  /** @throws CauceError `broker` where the broker refuses or is away, `closed` after `close`. */
  async committedOffsets(group: string, partitions: readonly TopicPartition[]): Promise<PartitionEntry[]> {
    const { pump, requests } = await (this.#opened ??= this.#open(group));
    const { timeoutMs } = this.#options;
    return await committedOffsets({ pump, requests, timeoutMs, partitions, group });
  }

  close(): void {
    this.#closed = true;
    this.#opened?.then(closeBoth, () => undefined);
  }

  async #open(group: string): Promise<{ pump: Pump; requests: Requests }> {
    const { library, config, onEvent } = this.#options;
    const own = { "group.id": group, "enable.auto.commit": false, "enable.auto.offset.store": false };
    const pump = await Pump.open({ library, kind: "consumer", config: { ...config, ...own }, onEvent });
    const opened = { pump, requests: new Requests(pump, OFFSET_ANSWERS) };
    if (this.#closed) closeBoth(opened);
    return opened;
  }
}

function closeBoth({ pump, requests }: { readonly pump: Pump; readonly requests: Requests }): void {
  requests.close();
  pump.close();
}
