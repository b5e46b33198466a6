/**
 * The entry `cauce/testing`: handlers as sentences; a bus and a store in memory for tests of more than one handler; failpoints
 * and the auditor for runs in which processes die.
 */
export { given, type GivenOptions, type Scenario, type WhenOptions } from "./given.ts";
export { MemoryBroker } from "../bus/memory-broker.ts";
export { MemoryBus, type MemoryBusOptions } from "../bus/memory.ts";
export {
  audit,
  describeAnomalies,
  type Anomaly,
  type AnomalyKind,
  type AuditInput,
  type AuditRules,
  type Fired,
  type LedgerEntry,
  type Sighting,
  type Verdict,
} from "./auditor.ts";
export { armFailpoints, dieAt, FAILPOINTS, type Failpoint } from "./failpoints.ts";
