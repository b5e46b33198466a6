/**
 * `cauce send TOPIC JSON`: one message, checked and keyed as its topic is declared by the project's handlers.
 *
 * In: a topic's name and a value in JSON. Out: the message's id, once the broker has acknowledged it.
 * Never here: topics that no handler declares (a slip of the pen would vanish in a topic of its own), and an embedded
 * broker that nobody else uses: it is in memory, and what it holds would be gone in seconds.
 */
import { runtimeSettings } from "../config/runtime-settings.ts";
import { readSettings } from "../config/settings.ts";
import { findKeeper } from "../embedded/keeper.ts";
import { stateFolderOf } from "../embedded/state.ts";
import { createClient } from "../engine/client.ts";
import { systemClock } from "../ground/clock.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import type { Handler } from "../handler/handler.ts";
import type { AnyTopic } from "../handler/topic.ts";
import { openInfrastructure } from "../main/infrastructure.ts";
import { loadProject } from "../main/project.ts";
import { topicPlans } from "../main/topic-plans.ts";
import { commandLine } from "../provision/command-line.ts";
import type { CommandOptions } from "./run-handlers.ts";

export async function send(options: CommandOptions): Promise<number> {
  const { projectDir, environment, console } = options;
  const [name, ...words] = options.arguments;
  const text = words.join(" ");
  if (name === undefined || text === "") {
    console.fail(`send needs a topic and a value: ${commandLine(`send TOPIC '{"json": "value"}'`)}`);
    return 2;
  }
  const { application, handlers } = await loadProject(projectDir);
  const topic = declaredTopic(name, handlers);
  const value = parse(text);
  const settings = readSettings(runtimeSettings, environment);
  if (
    settings.kafkaBrokers === undefined &&
    findKeeper(stateFolderOf(projectDir, settings.stateDir)) === null
  ) {
    throw new CauceError(
      "unavailable",
      `no handlers run here, and the embedded broker keeps messages in memory only: first start \`${commandLine("handlers")}\` in another terminal, or set KAFKA_BROKERS`,
    );
  }
  const infrastructure = await openInfrastructure({
    app: application.name,
    projectDir,
    settings,
    environment,
    clock: systemClock,
    log: console.log,
    // A command of a second: only what goes wrong is worth a line.
    report: () => {},
    signal: new AbortController().signal,
  });
  try {
    const plans = topicPlans(application.name, handlers).filter((plan) => plan.name === name);
    await infrastructure.ensureTopics(plans);
    const { bus, store } = infrastructure;
    const client = createClient({
      app: application.name,
      bus,
      store,
      clock: systemClock,
      ready: () => true,
    });
    const id = await client.send(topic, value);
    console.write(`sent to ${name} as message ${id}\n`);
    return 0;
  } finally {
    await infrastructure.close();
  }
}

function declaredTopic(name: string, handlers: readonly Handler[]): AnyTopic {
  const declared = new Map<string, AnyTopic>();
  for (const handler of handlers) {
    for (const topic of [...Object.values(handler.out), handler.on]) declared.set(topic.name, topic);
  }
  const topic = declared.get(name);
  if (topic !== undefined) return topic;
  const known = [...declared.keys()].toSorted((a, b) => a.localeCompare(b)).join(", ");
  throw new CauceError("config_invalid", `no handler declares the topic "${name}"; declared are ${known}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CauceError(
      "invalid_value",
      `the value is not JSON (${messageOf(cause)}); put it between single quotes: '{"name": "Ana"}'`,
      { cause },
    );
  }
}
