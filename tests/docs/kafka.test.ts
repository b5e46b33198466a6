/** docs/kafka.md: its example is the file, and the file does what the page says. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { shout } from "../../docs/examples/kafka/shout.ts";
import { Admin, ERROR, Producer } from "../../runtime/kafka/index.ts";
import { cacheFolder } from "../../runtime/provision/cache-folder.ts";
import { bytes, textOf } from "../bus/owner.ts";
import { testLibrary } from "../kafka/library.ts";
import { joinAs } from "../kafka/reader.ts";
import { startKafka } from "../services/kafka.ts";

const root = join(import.meta.dir, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

test("the example of the page on Kafka is the file, word for word", () => {
  const source = read("docs/examples/kafka/shout.ts");
  expect(read("docs/kafka.md")).toContain(`\`\`\`ts\n${source}\`\`\``);
});

test("the example shouts every word once, and goes on where it stopped", async () => {
  const [library, kafka] = [await testLibrary(), await startKafka()];
  const config = { "bootstrap.servers": kafka.brokers };
  const admin = await Admin.open({ library, config });
  const topics = ["words", "shouts"].map((name) => ({ name, partitions: 1 }));
  expect(await admin.createTopics(topics)).toMatchObject([{ err: ERROR.none }, { err: ERROR.none }]);
  admin.close();
  const producer = await Producer.open({ library, config });
  const reader = await joinAs({ library, config, group: "listener", topic: "shouts" });
  for (const word of ["hello", "again"]) {
    const stop = new AbortController();
    const running = shout({
      brokers: kafka.brokers,
      cacheDir: cacheFolder(process.env),
      stop: stop.signal,
      say: () => undefined,
    });
    await producer.produce([{ topic: "words", key: null, value: bytes(word), headers: [] }]);
    expect((await reader.read(1)).map(({ value }) => textOf(value))).toEqual([word.toUpperCase()]);
    stop.abort();
    await running;
  }
  await Promise.all([reader.consumer.close(), producer.close()]);
  await kafka.stop();
}, 120_000);
