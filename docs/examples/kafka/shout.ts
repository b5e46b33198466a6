import { Consumer, locateLibrary, openLibrary, TransactionalProducer, TransactionError } from "cauce/kafka";

/** Copies `words` to `shouts` in capitals, exactly once: outputs and offsets are committed together. */
export async function shout(options: {
  readonly brokers: string;
  readonly cacheDir: string;
  readonly stop: AbortSignal;
  readonly say: (line: string) => void;
}): Promise<void> {
  const { brokers, cacheDir, stop, say } = options;
  const found = await locateLibrary({ env: {}, cacheDir, production: false, report: say });
  const library = openLibrary(found.path);
  const config = { "bootstrap.servers": brokers };

  const producer = await TransactionalProducer.open({ library, config, transactionalId: "shout-1" });
  await producer.init();
  const consumer = await Consumer.open({
    library,
    config,
    group: "shout",
    topics: ["words"],
    startAt: "earliest",
    drainMs: 1_000,
    assigned: () => undefined,
    revoked: async () => undefined,
    lost: () => undefined,
    troubled: ({ message }) => say(message),
  });
  stop.addEventListener("abort", () => void consumer.close());

  try {
    for (;;) {
      const records = await consumer.take(500);
      if (records.length === 0) break; // closed
      const group = consumer.groupMetadata(); // before the work: a rebalance meanwhile then refuses the offsets
      await producer.begin();
      await producer.produce(
        records.map(({ key, value, headers }) => ({ topic: "shouts", key, value: upper(value), headers })),
      );
      const next = new Map(records.map(({ partition, offset }) => [partition, offset + 1]));
      const offsets = [...next].map(([partition, offset]) => ({ topic: "words", partition, offset }));
      await producer.sendOffsets(offsets, group);
      await producer.commit();
    }
  } catch (error) {
    // Whatever the remedy, this program ends and is started again: it goes on at the last committed offset.
    if (error instanceof TransactionError) say(`${error.remedy}: ${error.message}`);
    throw error;
  } finally {
    await Promise.all([producer.close(), consumer.close()]);
  }
}

function upper(value: Uint8Array | null): Uint8Array | null {
  return value && new TextEncoder().encode(new TextDecoder().decode(value).toUpperCase());
}
