/**
 * Every topic that must exist before handlers run: what they read and write, their retry topics, their dead letters.
 */
import type { TopicPlan } from "../bus/bus.ts";
import { namesFor } from "../engine/names.ts";
import type { Handler } from "../handler/handler.ts";
import type { AnyTopic } from "../handler/topic.ts";

/** One partition keeps dead letters in the order of their death, and few die. */
const DEAD_LETTER_PARTITIONS = 1;

export function topicPlans(app: string, handlers: readonly Handler[]): readonly TopicPlan[] {
  const plans = new Map<string, TopicPlan>();
  for (const handler of handlers) {
    const { retryTopic, deadLetterTopic } = namesFor(app, handler);
    for (const { name, partitions, provision, config } of [handler.on, ...Object.values(handler.out)]) {
      plans.set(name, { name, partitions, provision, config });
    }
    plans.set(retryTopic, { name: retryTopic, partitions: handler.on.partitions, provision: "create" });
    plans.set(deadLetterTopic, {
      name: deadLetterTopic,
      partitions: DEAD_LETTER_PARTITIONS,
      provision: "create",
    });
  }
  return [...plans.values()];
}

/**
 * Topics for which this process's scheduler may publish, all that its application declares → whose schema their messages have.
 * Of a topic that is declared twice, the higher version.
 */
export function scheduledTopics(app: string, handlers: readonly Handler[]): ReadonlyMap<string, AnyTopic> {
  const topics = new Map<string, AnyTopic>();
  const add = (name: string, topic: AnyTopic) => {
    if ((topics.get(name)?.version ?? 0) < topic.version) topics.set(name, topic);
  };
  for (const handler of handlers) {
    for (const topic of [handler.on, ...Object.values(handler.out)]) add(topic.name, topic);
    add(namesFor(app, handler).retryTopic, handler.on);
  }
  return topics;
}
