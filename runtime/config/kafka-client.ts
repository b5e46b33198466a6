/**
 * From settings to librdkafka's properties.
 *
 * In: settings, and the text of a KAFKA_CONFIG file. Out: properties, secrets among them: never log the result.
 */
import { CauceError } from "../ground/errors.ts";
import type { runtimeSettings } from "./runtime-settings.ts";
import type { SettingValues } from "./settings.ts";

type KafkaSettings = Pick<
  SettingValues<typeof runtimeSettings>,
  "kafkaSecurityProtocol" | "kafkaSaslMechanism" | "kafkaUsername" | "kafkaPassword" | "kafkaSslCa"
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

/** @throws CauceError `config_invalid` when settings contradict each other. */
export function kafkaClientConfig(settings: KafkaSettings, file?: string): Readonly<Record<string, string>> {
  const config: Record<string, string> = { "security.protocol": settings.kafkaSecurityProtocol };
  const sasl = settings.kafkaSecurityProtocol.startsWith("sasl");
  if (sasl && settings.kafkaSaslMechanism === undefined && file === undefined) {
    throw new CauceError(
      "config_invalid",
      `KAFKA_SECURITY_PROTOCOL is ${settings.kafkaSecurityProtocol}: set KAFKA_SASL_MECHANISM too`,
    );
  }
  if (!sasl && settings.kafkaUsername !== undefined) {
    throw new CauceError(
      "config_invalid",
      "KAFKA_USERNAME is set, but KAFKA_SECURITY_PROTOCOL is not sasl_plaintext or sasl_ssl",
    );
  }
  if (settings.kafkaSaslMechanism !== undefined) config["sasl.mechanisms"] = settings.kafkaSaslMechanism;
  if (settings.kafkaUsername !== undefined) config["sasl.username"] = settings.kafkaUsername;
  if (settings.kafkaPassword !== undefined) config["sasl.password"] = settings.kafkaPassword;
  if (settings.kafkaSslCa !== undefined) config["ssl.ca.location"] = settings.kafkaSslCa;
  return { ...config, ...(file !== undefined && parseProperties(file)) };
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
