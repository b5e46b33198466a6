/**
 * The entry `cauce/testing`: handlers as sentences, and a bus and a store in memory for tests of more than one handler.
 */
export { given, type GivenOptions, type Scenario, type WhenOptions } from "./given.ts";
export { MemoryBroker, MemoryBus, type MemoryBusOptions } from "../bus/memory.ts";
