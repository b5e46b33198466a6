/**
 * Names that follow from an application's and a handler's: groups and private topics. One place, one rule.
 */
import { CauceError } from "../ground/errors.ts";
import type { Handler } from "../handler/handler.ts";

export interface HandlerNames {
  readonly group: string;
  /** The private topic on which this handler's retries come back. */
  readonly retryTopic: string;
  readonly deadLetterTopic: string;
  /** `ce_source` of what the handler emits. */
  readonly source: string;
}

/** Kafka's limit. */
const LONGEST_TOPIC = 249;

/** @throws CauceError `declaration_invalid` when a derived topic's name would be longer than Kafka allows. */
export function namesFor(app: string, handler: Handler): HandlerNames {
  const retryTopic = `${handler.on.name}.${handler.name}.retry`;
  if (retryTopic.length > LONGEST_TOPIC) {
    throw new CauceError(
      "declaration_invalid",
      `handler ${handler.name}: its retry topic "${retryTopic}" is longer than ${LONGEST_TOPIC} characters; give the handler a shorter name`,
    );
  }
  return {
    group: `${app}.${handler.name}`,
    retryTopic,
    deadLetterTopic: `${handler.on.name}.dlq`,
    source: `/${app}/${handler.name}`,
  };
}
