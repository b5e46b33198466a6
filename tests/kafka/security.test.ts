/** TLS, SASL and tokens against a real broker, with certificates made here; and no secret in anything that is said. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Admin,
  type ClientConfig,
  type ClientEvent,
  ERROR,
  type Library,
  Producer,
  TransactionalProducer,
} from "../../runtime/kafka/index.ts";
import { rejection } from "../bus/contract-stage.ts";
import { bytes, textOf } from "../bus/owner.ts";
import { type OwnKafkaBroker, startKafka } from "../services/kafka.ts";
import { freePort } from "../services/port.ts";
import { testLibrary } from "./library.ts";
import { joinAs } from "./reader.ts";

const TIMEOUT_MS = 60_000;
const PASSWORD = "canary-S3cret-right";
const WRONG = "canary-S3cret-wrong";
const SECRETS = [PASSWORD, WRONG];
const TOPIC = "guarded";

describe("a broker that is guarded", () => {
  let library: Library;
  let kafka: OwnKafkaBroker;
  let folder: string;
  let issuer: ReturnType<typeof serveTokens>;
  let ways: Record<"tls" | "plain" | "scram256" | "scram512" | "token" | "oidc", ClientConfig>;

  beforeAll(async () => {
    library = await testLibrary();
    folder = mkdtempSync(join(tmpdir(), "cauce-tls-"));
    const { keystore, certificate } = await makeCertificate(folder);
    const [tls, sasl, token] = [freePort(), freePort(), freePort()];
    const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    kafka = await startKafka({
      listeners: [
        { name: "TLS", protocol: "SSL", port: tls },
        { name: "GUARDED", protocol: "SASL_SSL", port: sasl },
        { name: "TOKEN", protocol: "SASL_PLAINTEXT", port: token },
      ],
      settings: {
        "ssl.keystore.location": keystore,
        "ssl.keystore.password": STORE_PASSWORD,
        "ssl.keystore.type": "PKCS12",
        "listener.name.guarded.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.guarded.plain.sasl.jaas.config": `org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="${PASSWORD}";`,
        "listener.name.guarded.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.guarded.scram-sha-512.sasl.jaas.config": scram,
        "listener.name.token.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.token.oauthbearer.sasl.jaas.config":
          'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
      },
    });
    // Kafka takes one credential of a user at a time.
    for (const kind of ["SCRAM-SHA-256", "SCRAM-SHA-512"]) {
      const credential = ["--add-config", `${kind}=[password=${PASSWORD}]`];
      await kafka.tool("kafka.admin.ConfigCommand", {
        args: ["--alter", ...credential, "--entity-type", "users", "--entity-name", "alice"],
      });
    }
    const secure = { "ssl.ca.location": certificate, "bootstrap.servers": `127.0.0.1:${sasl}` };
    const alice = { "security.protocol": "sasl_ssl", "sasl.username": "alice", "sasl.password": PASSWORD };
    issuer = serveTokens();
    const bearer = {
      "bootstrap.servers": `127.0.0.1:${token}`,
      "security.protocol": "sasl_plaintext",
      "sasl.mechanisms": "OAUTHBEARER",
    };
    ways = {
      tls: { ...secure, "security.protocol": "ssl", "bootstrap.servers": `127.0.0.1:${tls}` },
      plain: { ...secure, ...alice, "sasl.mechanisms": "PLAIN" },
      scram256: { ...secure, ...alice, "sasl.mechanisms": "SCRAM-SHA-256" },
      scram512: { ...secure, ...alice, "sasl.mechanisms": "SCRAM-SHA-512" },
      token: {
        ...bearer,
        "enable.sasl.oauthbearer.unsecure.jwt": true,
        "sasl.oauthbearer.config": "principal=alice",
      },
      oidc: { ...bearer, ...oidc(`${issuer.url.origin}/token`, PASSWORD) },
    };
    const admin = await Admin.open({ library, config: ways.tls });
    expect(await admin.createTopics([{ name: TOPIC, partitions: 1 }])).toMatchObject([{ err: ERROR.none }]);
    admin.close();
  }, 180_000);
  afterAll(async () => {
    await issuer.stop(true);
    await kafka.stop();
    rmSync(folder, { recursive: true });
  });

  for (const way of ["tls", "plain", "scram256", "scram512", "token", "oidc"] as const) {
    test(
      `takes and gives records by ${way}`,
      async () => {
        const config = ways[way];
        const producer = await Producer.open({ library, config });
        const [position] = await producer.produce([
          { topic: TOPIC, key: null, value: bytes(way), headers: [] },
        ]);
        await producer.close();
        const reader = await joinAs({ library, config, group: `g-${way}`, topic: TOPIC });
        const records = await reader.read((position?.offset ?? 0) + 1);
        expect(textOf(records.at(-1)?.value ?? null)).toBe(way);
        await reader.consumer.close();
      },
      TIMEOUT_MS,
    );
  }

  const refusals = {
    "a wrong password": () => ({ ...ways.scram256, "sasl.password": WRONG }),
    "a certificate that nobody vouches for": () => {
      const { "ssl.ca.location": _vouched, ...config } = ways.scram256;
      return config;
    },
    "a wrong client secret at the token endpoint": () => ({
      ...ways.oidc,
      "sasl.oauthbearer.client.secret": WRONG,
    }),
    "an endpoint for tokens that is away": () => ({
      ...ways.oidc,
      ...oidc(`http://127.0.0.1:${freePort()}/token`, WRONG),
    }),
  };
  for (const [name, configOf] of Object.entries(refusals)) {
    test(
      `${name} ends in an error that tells what to look at, and in no secret`,
      async () => {
        const said: string[] = [];
        const refused = Promise.withResolvers<void>();
        const onEvent = (event: ClientEvent) => {
          said.push(JSON.stringify(event));
          if (event.kind === "error") refused.resolve();
        };
        const config = { ...configOf(), "message.timeout.ms": 2_000, debug: "security" };
        const producer = await Producer.open({ library, config, onEvent });
        const failure = await rejection(
          producer.produce([{ topic: TOPIC, key: null, value: bytes("v"), headers: [] }]),
        );
        await refused.promise;
        await producer.close(0);
        said.push(textOfError(failure));
        expect(failure).toMatchObject({ retryable: true });
        expect(said.length).toBeGreaterThan(2);
        for (const secret of SECRETS) expect(said.filter((line) => line.includes(secret))).toEqual([]);
      },
      TIMEOUT_MS,
    );
  }

  test("settings that are refused are named without their secret values", async () => {
    const configs: ClientConfig[] = [
      { ...ways.scram256, "ssl.key.password": WRONG, "ssl.key.location": `/nowhere/key.pem` },
      { "security.protocol": "ssl", "ssl.key.pem": `-----BEGIN ${WRONG}` },
    ];
    for (const config of configs) {
      for (const open of [
        () => Producer.open({ library, config }),
        () => Admin.open({ library, config }),
        () => TransactionalProducer.open({ library, config, transactionalId: "id" }),
      ]) {
        const failure = await rejection(open());
        expect(failure).toMatchObject({ code: "config_invalid" });
        for (const secret of SECRETS) expect(textOfError(failure)).not.toContain(secret);
      }
    }
  });
});

/** What librdkafka wants to fetch tokens with, as of OpenID Connect's client credentials. */
function oidc(endpoint: string, secret: string): ClientConfig {
  return {
    "sasl.oauthbearer.method": "oidc",
    "sasl.oauthbearer.client.id": "cauce",
    "sasl.oauthbearer.client.secret": secret,
    "sasl.oauthbearer.token.endpoint.url": endpoint,
  };
}

/** An issuer of tokens without a signature, which the test broker accepts; it knows one client. */
function serveTokens() {
  const known = `Basic ${btoa(`cauce:${PASSWORD}`)}`;
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      if (request.headers.get("authorization") !== known) {
        return Response.json({ error: "invalid_client" }, { status: 401 });
      }
      const now = Math.floor(Date.now() / 1_000);
      const parts = [{ alg: "none" }, { sub: "alice", iat: now, exp: now + 600 }];
      const encoded = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
      return Response.json({ access_token: `${encoded.join(".")}.`, token_type: "Bearer", expires_in: 600 });
    },
  });
}

const STORE_PASSWORD = "not-a-secret";

/** A key and a certificate for 127.0.0.1 that vouches for itself, by the tool that comes with Java. */
async function makeCertificate(folder: string): Promise<{ keystore: string; certificate: string }> {
  const keystore = join(folder, "broker.p12");
  const certificate = join(folder, "broker.pem");
  const store = ["-keystore", keystore, "-storepass", STORE_PASSWORD, "-alias", "broker"];
  const names = ["-dname", "CN=cauce-test", "-ext", "san=ip:127.0.0.1,dns:localhost"];
  await keytool("-genkeypair", ...store, ...names, "-keyalg", "RSA", "-storetype", "PKCS12");
  await keytool("-exportcert", "-rfc", ...store, "-file", certificate);
  return { keystore, certificate };
}

async function keytool(...args: readonly string[]): Promise<void> {
  const child = Bun.spawn(["keytool", ...args], { stdout: "pipe", stderr: "pipe" });
  const said = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`keytool: ${said}`);
}

function textOfError(thrown: unknown): string {
  return Bun.inspect(thrown, { depth: 10 });
}
