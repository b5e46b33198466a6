/**
 * From settings to librdkafka's properties.
 *
 * In: settings, and the text of a KAFKA_CONFIG file. Out: properties, secrets among them: never log the result. Half a set is
 * refused, and what is missing is named: with half of it librdkafka would try in vain for ever.
 */
import { CauceError } from "../ground/errors.ts";
import { runtimeSettings } from "./runtime-settings.ts";
import type { SettingValues } from "./settings.ts";

export type KafkaSettings = Pick<
  SettingValues<typeof runtimeSettings>,
  | "kafkaBrokers"
  | "kafkaSecurityProtocol"
  | "kafkaSaslMechanism"
  | "kafkaUsername"
  | "kafkaPassword"
  | "kafkaSslCa"
  | "kafkaConfig"
>;

/** Properties that the binding needs to set itself: another value would lose or reorder messages. */
const OURS = new Set([
  "enable.auto.commit",
  "enable.auto.offset.store",
  "auto.offset.reset",
  "enable.idempotence",
  "acks",
  "request.required.acks",
  "partitioner",
  "group.id",
  "bootstrap.servers",
  "metadata.broker.list",
]);

/** @throws CauceError `config_invalid` that names all that is missing or contradicts, and no value that is secret. */
export function kafkaClientConfig(settings: KafkaSettings, file?: string): Readonly<Record<string, string>> {
  const config: Record<string, string> = { "security.protocol": settings.kafkaSecurityProtocol };
  if (settings.kafkaSaslMechanism !== undefined) config["sasl.mechanisms"] = settings.kafkaSaslMechanism;
  if (settings.kafkaUsername !== undefined) config["sasl.username"] = settings.kafkaUsername;
  if (settings.kafkaPassword !== undefined) config["sasl.password"] = settings.kafkaPassword;
  if (settings.kafkaSslCa !== undefined) config["ssl.ca.location"] = settings.kafkaSslCa;
  Object.assign(config, file !== undefined && parseProperties(file));
  const complaints = [...withoutBrokers(settings), ...contradictions(settings, config)];
  if (complaints.length > 0)
    throw new CauceError(
      "config_invalid",
      `settings of Kafka that cannot be used:\n  ${complaints.join("\n  ")}`,
    );
  return config;
}

/** Somebody who says how to reach a broker means a real one: starting a stand-in instead would hide the mistake. */
function withoutBrokers(settings: KafkaSettings): string[] {
  if (settings.kafkaBrokers !== undefined) return [];
  const given = namesOf(settings, [...SASL, "kafkaSslCa", "kafkaConfig"]);
  if (settings.kafkaSecurityProtocol !== "plaintext") given.push("KAFKA_SECURITY_PROTOCOL");
  return given.length === 0 ? [] : [`${areSet(given)}, but KAFKA_BROKERS is not: set it too, to host:port`];
}

/** What does not fit together, lines of the file included: they win. */
function contradictions(settings: KafkaSettings, config: Readonly<Record<string, string>>): string[] {
  const protocol = (config["security.protocol"] ?? "").toLowerCase();
  const mechanism = (config["sasl.mechanisms"] ?? config["sasl.mechanism"])?.toUpperCase();
  const complaints: string[] = [];
  if (!protocol.endsWith("ssl") && settings.kafkaSslCa !== undefined)
    complaints.push(
      `KAFKA_SSL_CA is set, but KAFKA_SECURITY_PROTOCOL is ${protocol}: set it to ssl or sasl_ssl`,
    );
  if (!protocol.startsWith("sasl")) {
    const unused = namesOf(settings, SASL);
    if (unused.length > 0)
      complaints.push(
        `${areSet(unused)}, but KAFKA_SECURITY_PROTOCOL is ${protocol}: set it to sasl_ssl, or to sasl_plaintext`,
      );
    return complaints;
  }
  if (mechanism === "OAUTHBEARER") return [...complaints, ...withoutTokens(settings, config)];
  const missing: string[] = [];
  if (mechanism === undefined) missing.push("KAFKA_SASL_MECHANISM");
  const [user, password] = [config["sasl.username"], config["sasl.password"]];
  const byPassword = mechanism === "PLAIN" || mechanism?.startsWith("SCRAM-") === true;
  if (user === undefined && (byPassword || password !== undefined)) missing.push("KAFKA_USERNAME");
  if (password === undefined && (byPassword || user !== undefined)) missing.push("KAFKA_PASSWORD");
  if (missing.length > 0) {
    const reason =
      mechanism === undefined
        ? `KAFKA_SECURITY_PROTOCOL is ${protocol}`
        : `KAFKA_SASL_MECHANISM is ${mechanism}`;
    complaints.push(`${reason}: set ${missing.join(" and ")} too`);
  }
  return complaints;
}

function withoutTokens(settings: KafkaSettings, config: Readonly<Record<string, string>>): string[] {
  const unused = namesOf(settings, ["kafkaUsername", "kafkaPassword"]);
  const told = Object.keys(config).some((name) => name.includes("sasl.oauthbearer."));
  return [
    ...(unused.length > 0
      ? [`${areSet(unused)}, but KAFKA_SASL_MECHANISM is OAUTHBEARER, which takes neither`]
      : []),
    ...(told
      ? []
      : [
          "KAFKA_SASL_MECHANISM is OAUTHBEARER: say where its tokens come from in a KAFKA_CONFIG file, by sasl.oauthbearer lines",
        ]),
  ];
}

const SASL = ["kafkaSaslMechanism", "kafkaUsername", "kafkaPassword"] as const;

/** The variables of those that are set. */
function namesOf(settings: KafkaSettings, names: readonly (keyof KafkaSettings)[]): string[] {
  return names.filter((name) => settings[name] !== undefined).map((name) => runtimeSettings[name].env);
}

function areSet(names: readonly string[]): string {
  return `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} set`;
}

/**
 * Properties of a KAFKA_CONFIG file: `name=value` lines; `#` begins a comment line.
 * @throws CauceError `config_invalid` naming the line (never its value).
 */
export function parseProperties(text: string): Readonly<Record<string, string>> {
  const properties: Record<string, string> = {};
  const complaints: string[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const at = line.indexOf("=");
    const name = line.slice(0, at).trim();
    if (at < 1) complaints.push(`line ${index + 1} is not name=value`);
    else if (OURS.has(name))
      complaints.push(`line ${index + 1}: ${name} is set by Cauce, since another value could lose messages`);
    else properties[name] = line.slice(at + 1).trim();
  }
  if (complaints.length > 0) throw new CauceError("config_invalid", `KAFKA_CONFIG: ${complaints.join("; ")}`);
  return properties;
}
