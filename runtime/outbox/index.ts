/**
 * The entry `cauce/outbox`: for programs that write messages in their own transactions and run no handler.
 */
export { createOutbox, type OutboxSettings } from "./outbox.ts";
export type {
  BuilderTransaction,
  DriverTransaction,
  Outbox,
  OutboxOf,
  OutboxOptions,
  Transaction,
} from "../application/outbox.ts";
