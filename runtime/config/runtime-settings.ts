/**
 * Every setting of the runtime itself. The application declares its own in the same manner.
 */
import * as v from "valibot";
import { optionalNumber, wholeNumber, type SettingDeclarations, type SettingValues } from "./settings.ts";

const text = v.optional(v.string());

function oneOf<const Options extends readonly [string, ...string[]]>(
  options: Options,
  preset: Options[number],
) {
  return v.optional(v.picklist(options, `expected one of ${options.join(", ")}`), preset);
}

/** "a, b" → ["a", "b"]. */
const list = v.pipe(
  v.optional(v.string(), ""),
  v.transform((value) =>
    value
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== ""),
  ),
);

function url(protocols: readonly string[]) {
  const expected = `expected an address that begins with ${protocols.join(" or ")}`;
  return v.optional(
    v.pipe(
      v.string(),
      v.check(
        (value) => URL.canParse(value) && protocols.some((protocol) => value.startsWith(protocol)),
        expected,
      ),
    ),
  );
}

export const runtimeSettings = {
  kafkaBrokers: {
    env: "KAFKA_BROKERS",
    schema: text,
    about:
      "Kafka's bootstrap addresses, host:port, separated by commas. Unset: an in-memory stand-in is started.",
  },
  kafkaSecurityProtocol: {
    env: "KAFKA_SECURITY_PROTOCOL",
    schema: oneOf(["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"], "plaintext"),
    about: "plaintext, ssl, sasl_plaintext or sasl_ssl.",
  },
  kafkaSaslMechanism: {
    env: "KAFKA_SASL_MECHANISM",
    schema: v.optional(
      v.picklist(
        ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"],
        "expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER",
      ),
    ),
    about: "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.",
  },
  kafkaUsername: { env: "KAFKA_USERNAME", schema: text, about: "User for SASL." },
  kafkaPassword: { env: "KAFKA_PASSWORD", schema: text, about: "Password for SASL.", secret: true },
  kafkaSslCa: {
    env: "KAFKA_SSL_CA",
    schema: text,
    about: "A file with the certificate authority's certificates, PEM.",
  },
  kafkaConfig: {
    env: "KAFKA_CONFIG",
    schema: text,
    about: "A file of librdkafka properties, one name=value a line. It wins over the settings above.",
  },
  databaseUrl: {
    env: "DATABASE_URL",
    schema: url(["postgres://", "postgresql://"]),
    about: "Postgres's address. Unset: an embedded PostgreSQL is started.",
    secret: true,
  },
  databaseDirectUrl: {
    env: "DATABASE_DIRECT_URL",
    schema: url(["postgres://", "postgresql://"]),
    about:
      "A second address that no pooler stands in front of, for LISTEN and migrations. Default: DATABASE_URL. (Where that leads through a pooler in transaction mode, let it end in ?prepare=false unless the pooler keeps prepared statements.)",
    secret: true,
  },
  databaseSchema: {
    env: "DATABASE_SCHEMA",
    schema: v.optional(
      v.pipe(v.string(), v.regex(/^[a-z_][a-z0-9_]{0,62}$/, "expected a-z 0-9 _ and at most 63 of them")),
      "cauce",
    ),
    about: "The runtime's schema in Postgres. Default cauce.",
  },
  databasePoolSize: {
    env: "DATABASE_POOL_SIZE",
    schema: wholeNumber({ min: 2, max: 100, preset: 6 }),
    about: "Connections of the runtime's own pool. Default 6.",
  },
  host: {
    env: "HOST",
    schema: v.optional(v.string(), "127.0.0.1"),
    about: "Where the door listens. Default 127.0.0.1.",
  },
  port: {
    env: "PORT",
    schema: wholeNumber({ min: 0, max: 65_535, preset: 8000 }),
    about: "The door's port; 0 picks a free one. Default 8000.",
  },
  healthPort: {
    env: "HEALTH_PORT",
    schema: wholeNumber({ min: 0, max: 65_535, preset: 0 }),
    about:
      "Where a process without ingress (RUN) answers /healthz, /readyz and /metrics. Default 0: nowhere; with ingress they are at PORT.",
  },
  doorGuard: {
    env: "DOOR_GUARD",
    schema: oneOf(["own", "elsewhere"], "own"),
    about:
      "own: a HOST that others reach needs API keys, and a token for /metrics. elsewhere: the network in front of it sees to that. Default own.",
  },
  doorConnections: {
    env: "DOOR_CONNECTIONS",
    schema: optionalNumber({ min: 0, max: 1_000_000 }),
    about:
      "Connections to the door at once; more are answered 503. 0: no limit. Default 10000, on loopback 0.",
  },
  doorConnectionsPerAddress: {
    env: "DOOR_CONNECTIONS_PER_ADDRESS",
    schema: optionalNumber({ min: 0, max: 1_000_000 }),
    about:
      "The same from one address; behind a proxy all come from one. 0: no limit. Default 256, on loopback 0.",
  },
  operatorToken: {
    env: "OPERATOR_TOKEN",
    schema: v.optional(v.pipe(v.string(), v.minLength(16, "expected at least 16 characters"))),
    about:
      "What must be shown to see /metrics, as a bearer token. Unset: nobody needs it where DOOR_GUARD needs none, nobody sees them elsewhere.",
    secret: true,
  },
  operationsPort: {
    env: "OPERATIONS_PORT",
    schema: optionalNumber({ min: 0, max: 65_535 }),
    about: "/metrics on a port of its own, on 127.0.0.1, and no longer at the door. Default: at the door.",
  },
  run: {
    env: "RUN",
    schema: list,
    about:
      "Which handlers (by name or topic), ingress and scheduler this process runs, separated by commas. Default: all.",
  },
  drainMs: {
    env: "DRAIN_MS",
    schema: wholeNumber({ min: 0, max: 600_000, preset: 10_000 }),
    about: "How long a stop waits for what runs, in ms. Default 10000.",
  },
  watchdogMs: {
    env: "WATCHDOG_MS",
    schema: wholeNumber({ min: 0, max: 3_600_000, preset: 30_000 }),
    about:
      "How long the event loop may stand still before the watchdog ends the process, in ms; 0 switches that off, for a debugger. Default 30000.",
  },
  watchdogDeaths: {
    env: "WATCHDOG_DEATHS",
    schema: wholeNumber({ min: 1, max: 100, preset: 3 }),
    about: "A message on which the process died so often is a dead letter and not run again. Default 3.",
  },
  supervise: {
    env: "CAUCE_SUPERVISE",
    schema: oneOf(["on", "off"], "on"),
    about:
      "on: the command starts its worker process again when it dies. off: something else does, such as a container's restart policy. Default on.",
  },
  stateDir: {
    env: "STATE_DIR",
    schema: text,
    about: "Where embedded services keep their data. Default .cauce in the project.",
  },
  library: {
    env: "CAUCE_LIBRDKAFKA",
    schema: text,
    about: "Path of the librdkafka to use. Default: found or fetched.",
  },
  logLevel: {
    env: "LOG_LEVEL",
    schema: oneOf(["debug", "info", "warn", "error"], "info"),
    about: "debug, info, warn or error. Default info.",
  },
  nodeEnv: {
    env: "NODE_ENV",
    schema: text,
    about: "production: nothing is fetched, built or embedded; what is missing is an error.",
  },
} as const satisfies SettingDeclarations;

export type RuntimeSettings = SettingValues<typeof runtimeSettings>;
