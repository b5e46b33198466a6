/**
 * A transactional producer of a test, ready for its first transaction.
 */
import { expect } from "bun:test";
import { type Library, TransactionalProducer } from "../../runtime/kafka/index.ts";
import { rejection } from "../bus/contract-stage.ts";

/** `opened` is told of it before a broker is asked: it must be closed even where none answers. */
export async function initialised(options: {
  readonly library: Library;
  readonly brokers: string;
  readonly id: string;
  readonly timeoutMs: number;
  readonly opened: (producer: TransactionalProducer) => void;
}): Promise<TransactionalProducer> {
  const { library, brokers, id, timeoutMs, opened } = options;
  const producer = await TransactionalProducer.open({
    library,
    config: { "bootstrap.servers": brokers },
    transactionalId: id,
    transactionTimeoutMs: timeoutMs,
  });
  opened(producer);
  // As its owner makes it: again for as long as it says so.
  for (;;) {
    const outcome = await rejection(producer.init());
    if (outcome === "it resolved") return producer;
    expect(outcome).toMatchObject({ remedy: "retry" });
  }
}
