/**
 * What a handler is given.
 */
import type { AnyTopic, OutputOf } from "./topic.ts";

/** A message as its handler sees it. */
export interface Message<T extends AnyTopic = AnyTopic> {
  /** Stable across repeats: the same message always carries the same id. Effects keyed by it happen once. */
  readonly id: string;
  readonly value: OutputOf<T>;
  /** The key in UTF-8, or null. */
  readonly key: string | null;
  readonly topic: string;
  /** 1 for the first try; grows with each failure that burns. */
  readonly attempt: number;
  /** How often it was put off without burning an attempt. */
  readonly deferrals: number;
  /** How often it was published again by the schedule. */
  readonly delivery: number;
  /** When this message was made. Its retries keep it; outputs are messages of their own. */
  readonly bornAt: Date;
}
