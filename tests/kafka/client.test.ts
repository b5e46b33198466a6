/** What any client says, and what it refuses to open with. */
import { beforeAll, expect, test } from "bun:test";
import { Admin, type Library, MockCluster } from "../../runtime/kafka/index.ts";
import { rejection } from "../bus/contract-stage.ts";
import { testLibrary } from "./library.ts";

const TIMEOUT_MS = 30_000;

let library: Library;
beforeAll(async () => {
  library = await testLibrary();
});

test(
  "librdkafka's logs and statistics arrive as events, and never on stderr",
  async () => {
    const cluster = MockCluster.start({ library });
    const events: string[] = [];
    const seen = Promise.withResolvers<void>();
    const admin = await Admin.open({
      library,
      config: { "bootstrap.servers": cluster.bootstrap, debug: "broker", "statistics.interval.ms": 100 },
      onEvent(event) {
        events.push(event.kind);
        if (events.includes("log") && events.includes("statistics")) seen.resolve();
      },
    });
    await seen.promise;
    admin.close();
    cluster.close();
  },
  TIMEOUT_MS,
);

test(
  "a refused property is named with the reason, and a secret one without its value",
  async () => {
    const config = { "bootstrap.servers": "127.0.0.1:1" };
    const unknown = rejection(Admin.open({ library, config: { ...config, "no.such.property": "1" } }));
    expect(await unknown).toMatchObject({
      code: "config_invalid",
      message: expect.stringContaining("no.such.property"),
    });
    const secret = "canary-5f1c";
    const refused = await rejection(
      Admin.open({
        library,
        config: {
          ...config,
          "security.protocol": "ssl",
          "ssl.key.pem": secret,
          "ssl.key.password": secret,
        },
      }),
    );
    expect(refused).toMatchObject({ code: "config_invalid" });
    expect(String(refused)).not.toContain(secret);
  },
  TIMEOUT_MS,
);
