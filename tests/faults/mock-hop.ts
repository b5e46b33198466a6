/**
 * The frame of a case on the mock cluster: messages are sent, something is done to them or to the brokers, one hop handles them all.
 *
 * In: what differs from case to case. Out: a case whose verdict is the auditor's. Never here: the harm.
 */
import type { FaultCase } from "./case.ts";
import { MockStage, type MockStageOptions } from "./mock-stage.ts";

export interface MockHop extends Pick<FaultCase, "number" | "title" | "expected"> {
  readonly stage?: MockStageOptions;
  /** Done once the first messages are there, before the last consumer starts. */
  readonly before?: (stage: MockStage) => void | Promise<void>;
  /** Done while they are handled. */
  readonly during?: (stage: MockStage) => Promise<void>;
  /** Numbers of messages that must not come out. */
  readonly dead?: readonly number[];
  /** May something come out again, under the same id? Default no. */
  readonly mayRepeat?: boolean;
  /** What is wrong beside what the auditor sees. */
  readonly complaints?: (stage: MockStage) => readonly string[] | Promise<readonly string[]>;
}

export const MESSAGES = 600;

export function mockHop(hop: MockHop): FaultCase {
  const { number, title, expected, stage: options = {}, dead = [], mayRepeat = false } = hop;
  return {
    number,
    title,
    expected,
    quick: true,
    run: () =>
      MockStage.with(options, async (stage) => {
        await stage.send(MESSAGES);
        await hop.before?.(stage);
        await stage.consume();
        await hop.during?.(stage);
        await stage.outputs(stage.sent - dead.length);
        await stage.committed();
        const complaints = (await hop.complaints?.(stage)) ?? [];
        // The auditor compares the ids.
        return stage.verdict(mayRepeat ? { mayRepeat: () => true } : {}, { not: dead, complaints });
      }),
  };
}
