/**
 * The entry `cauce/run`: what an application's own start-up file needs, on Bun.
 */
export {
  application,
  type Application,
  type Client,
  type SendOptions,
  type Started,
  type Step,
  type World,
} from "./application/application.ts";
export type { Outbox, OutboxOf, OutboxOptions, Transaction } from "./application/outbox.ts";
export {
  readSettings,
  wholeNumber,
  type SettingDeclarations,
  type SettingValues,
} from "./config/settings.ts";
export { withSecretFiles } from "./config/secret-files.ts";
export { createCacheRequester } from "./embedded/cache.ts";
export { listenOn, type Listening, type ListenOptions } from "./store/listen.ts";
export { databaseFailure } from "./store/failure.ts";
export { startProject, stopEmbedded, type StartProjectOptions } from "./main/start-project.ts";
export { commandDatabase } from "./main/command-database.ts";
export type { Running } from "./main.ts";
export type { CommandOptions } from "./bin/run-handlers.ts";
