import { describe, expect, test } from "bun:test";
import { CauceError } from "../ground/errors.ts";
import { kafkaClientConfig, type KafkaSettings } from "./kafka-client.ts";

const SECRET = "canary-password";
const none: KafkaSettings = {
  kafkaBrokers: undefined,
  kafkaSecurityProtocol: "plaintext",
  kafkaSaslMechanism: undefined,
  kafkaUsername: undefined,
  kafkaPassword: undefined,
  kafkaSslCa: undefined,
  kafkaConfig: undefined,
};
const brokers: KafkaSettings = { ...none, kafkaBrokers: "kafka:9092" };
const guarded = { kafkaSecurityProtocol: "sasl_ssl" } as const;

function complaintOf(settings: Partial<KafkaSettings>, file?: string): string {
  try {
    kafkaClientConfig({ ...brokers, ...settings }, file);
  } catch (error) {
    if (!(error instanceof CauceError)) throw error;
    expect(error.code).toBe("config_invalid");
    expect(error.message).not.toContain(SECRET);
    return error.message.split("\n  ").slice(1).join("\n");
  }
  return "";
}

describe("half a set of Kafka's settings is refused, and names what is missing", () => {
  test.each<[missing: string, Partial<KafkaSettings>]>([
    ["KAFKA_USERNAME is set, but KAFKA_BROKERS is not", { kafkaUsername: "ada", kafkaBrokers: undefined }],
    ["KAFKA_PASSWORD is set, but KAFKA_BROKERS is not", { kafkaPassword: SECRET, kafkaBrokers: undefined }],
    [
      "KAFKA_CONFIG is set, but KAFKA_BROKERS is not",
      { kafkaConfig: "k.properties", kafkaBrokers: undefined },
    ],
    [
      "KAFKA_SECURITY_PROTOCOL is set, but KAFKA_BROKERS is not",
      { kafkaSecurityProtocol: "ssl", kafkaBrokers: undefined },
    ],
    ["KAFKA_SECURITY_PROTOCOL is plaintext: set it to sasl_ssl", { kafkaUsername: "ada" }],
    ["KAFKA_SECURITY_PROTOCOL is plaintext: set it to sasl_ssl", { kafkaPassword: SECRET }],
    [
      "KAFKA_SASL_MECHANISM is set, but KAFKA_SECURITY_PROTOCOL is ssl",
      { kafkaSecurityProtocol: "ssl", kafkaSaslMechanism: "PLAIN" },
    ],
    ["set KAFKA_SASL_MECHANISM too", guarded],
    ["set KAFKA_SASL_MECHANISM too", { ...guarded, kafkaUsername: "ada", kafkaPassword: SECRET }],
    ["set KAFKA_SASL_MECHANISM and KAFKA_PASSWORD too", { ...guarded, kafkaUsername: "ada" }],
    ["set KAFKA_USERNAME and KAFKA_PASSWORD too", { ...guarded, kafkaSaslMechanism: "PLAIN" }],
    ["set KAFKA_USERNAME too", { ...guarded, kafkaSaslMechanism: "SCRAM-SHA-256", kafkaPassword: SECRET }],
    ["set KAFKA_PASSWORD too", { ...guarded, kafkaSaslMechanism: "SCRAM-SHA-512", kafkaUsername: "ada" }],
    ["say where its tokens come from", { ...guarded, kafkaSaslMechanism: "OAUTHBEARER" }],
    [
      "KAFKA_USERNAME is set, but KAFKA_SASL_MECHANISM is OAUTHBEARER",
      { ...guarded, kafkaSaslMechanism: "OAUTHBEARER", kafkaUsername: "ada" },
    ],
    [
      "KAFKA_SSL_CA is set, but KAFKA_SECURITY_PROTOCOL is plaintext: set it to ssl",
      { kafkaSslCa: "ca.pem" },
    ],
  ])("%s", (missing, settings) => {
    expect(complaintOf(settings)).toContain(missing);
  });

  test("all of it at once", () => {
    const both = complaintOf({ kafkaSslCa: "ca.pem", kafkaUsername: "ada", kafkaPassword: SECRET });
    expect(both.split("\n").length).toBe(2);
    expect(both).toContain("KAFKA_USERNAME and KAFKA_PASSWORD are set");
  });
});

describe("a whole set becomes librdkafka's properties", () => {
  test("nothing but brokers", () => {
    expect(kafkaClientConfig(brokers)).toEqual({ "security.protocol": "plaintext" });
    expect(kafkaClientConfig(none)).toEqual({ "security.protocol": "plaintext" });
  });

  test("user and password, with a certificate", () => {
    const settings: KafkaSettings = {
      ...brokers,
      ...guarded,
      kafkaSaslMechanism: "SCRAM-SHA-256",
      kafkaUsername: "ada",
      kafkaPassword: SECRET,
      kafkaSslCa: "ca.pem",
    };
    expect(kafkaClientConfig(settings)).toEqual({
      "security.protocol": "sasl_ssl",
      "sasl.mechanisms": "SCRAM-SHA-256",
      "sasl.username": "ada",
      "sasl.password": SECRET,
      "ssl.ca.location": "ca.pem",
    });
  });

  test("what a file says completes the settings, and wins over them", () => {
    expect(
      complaintOf({ ...guarded, kafkaUsername: "ada" }, `sasl.mechanism=PLAIN\nsasl.password=${SECRET}`),
    ).toBe("");
    expect(
      complaintOf({ kafkaUsername: "ada" }, "security.protocol=SASL_SSL\nsasl.mechanisms=PLAIN"),
    ).toContain("set KAFKA_PASSWORD too");
    const tokens = "sasl.mechanisms=OAUTHBEARER\nsasl.oauthbearer.method=oidc";
    expect(kafkaClientConfig({ ...brokers, ...guarded }, tokens)).toMatchObject({
      "sasl.mechanisms": "OAUTHBEARER",
    });
    // Kerberos has neither user nor password.
    expect(complaintOf(guarded, "sasl.mechanisms=GSSAPI")).toBe("");
  });
});
