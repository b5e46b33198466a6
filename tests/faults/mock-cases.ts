/**
 * Errors that a broker answers, pushed into librdkafka's mock cluster.
 *
 * In: nothing. Out: cases. Never here: durability, which the mock cluster cannot show.
 */
import { handler } from "cauce";
import { verdictOf, type FaultCase } from "./case.ts";
import { input, MockStage, output, straight } from "./mock-stage.ts";
import type { Seen } from "./reader.ts";

const BROKER_ERROR = {
  notLeader: 6,
  requestTimedOut: 7,
  tooLarge: 10,
  coordinatorLoads: 14,
  notCoordinator: 16,
  notEnoughReplicas: 19,
  illegalGeneration: 22,
  unknownMember: 25,
  outOfOrderSequence: 45,
  invalidProducerEpoch: 47,
  staleMemberEpoch: 113,
} as const;

const MESSAGES = 600;
/** The auditor has compared the ids already. */
const sameId = { mayRepeat: (_again: Seen, _earlier: readonly Seen[]) => true };

export const mockCases: readonly FaultCase[] = [
  {
    number: 4,
    title: "a handler that runs twice as long as max.poll.interval.ms",
    expected: "no rebalance, nothing repeated",
    quick: true,
    run: () => {
      const { order, concurrency } = straight;
      const slow = handler({
        name: "slow",
        on: input,
        out: { output },
        order,
        concurrency,
        async handle({ value }, { out }) {
          await Bun.sleep(value.seq === 0 ? SLOW_MS : 0);
          return out.output(value);
        },
      });
      const consumerConfig = { "max.poll.interval.ms": SLOW_MS / 2 };
      return MockStage.with({ handler: slow, consumerConfig }, async (stage) => {
        await stage.send(MESSAGES);
        await stage.consume();
        await stage.outputs(MESSAGES);
        await stage.committed();
        return stage.verdict({}, { complaints: stage.lines.map(({ event }) => event) });
      });
    },
  },
  {
    number: 6,
    title: "OffsetCommit refused: ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REQUEST_TIMED_OUT, COORDINATOR_LOAD",
    expected: "tried again until acknowledged; repeats carry the same ids",
    quick: true,
    run: () =>
      MockStage.with(CLASSIC_GROUP, async (stage) => {
        await stage.send(MESSAGES);
        stage.cluster.pushErrors("offsetCommit", [
          BROKER_ERROR.illegalGeneration,
          BROKER_ERROR.unknownMember,
          BROKER_ERROR.requestTimedOut,
          BROKER_ERROR.coordinatorLoads,
        ]);
        await stage.consume();
        await stage.outputs(MESSAGES);
        await stage.committed();
        return stage.verdict(sameId);
      }),
  },
  {
    number: 6,
    title: "OffsetCommit refused under KIP-848: STALE_MEMBER_EPOCH, UNKNOWN_MEMBER_ID",
    expected: "tried again until acknowledged; repeats carry the same ids",
    quick: true,
    run: () =>
      MockStage.with({}, async (stage) => {
        await stage.send(MESSAGES);
        stage.cluster.pushErrors("offsetCommit", [BROKER_ERROR.staleMemberEpoch, BROKER_ERROR.unknownMember]);
        await stage.consume();
        await stage.outputs(MESSAGES);
        await stage.committed();
        return stage.verdict(sameId);
      }),
  },
  {
    number: 7,
    title: "OffsetFetch refused on join: STALE_MEMBER_EPOCH, NOT_COORDINATOR",
    expected: "tried again; goes on where the group was, never at an end",
    quick: true,
    run: () =>
      MockStage.with({}, async (stage) => {
        await stage.send(MESSAGES);
        const first = await stage.consume();
        await stage.outputs(MESSAGES);
        await first.stop(5_000);
        await stage.send(MESSAGES);
        stage.cluster.pushErrors("offsetFetch", [
          BROKER_ERROR.staleMemberEpoch,
          BROKER_ERROR.notCoordinator,
          BROKER_ERROR.coordinatorLoads,
        ]);
        await stage.consume();
        await stage.outputs(2 * MESSAGES);
        await stage.committed();
        return stage.verdict();
      }),
  },
  {
    number: 9,
    title: "answers to Produce come after message.timeout.ms",
    expected: "possibly persisted: not committed before it is published again, under the same ids",
    quick: true,
    run: () =>
      MockStage.with({ producerConfig: { "message.timeout.ms": 1_000 } }, async (stage) => {
        await stage.send(MESSAGES);
        await stage.consume();
        await stage.outputs(1);
        stage.cluster.delayBroker(LATE_MS);
        await Bun.sleep(2 * LATE_MS);
        stage.cluster.delayBroker(0);
        await stage.outputs(MESSAGES);
        await stage.committed();
        return stage.verdict(sameId);
      }),
  },
  {
    number: 10,
    title: "Produce refused for a while: NOT_LEADER, NOT_ENOUGH_REPLICAS",
    expected: "nothing repeated, nothing reordered",
    quick: true,
    run: () =>
      MockStage.with({ producerConfig: ONE_REQUEST }, async (stage) => {
        await stage.send(MESSAGES);
        const refusals = [BROKER_ERROR.notLeader, BROKER_ERROR.notEnoughReplicas, 0];
        stage.cluster.pushErrors("produce", Array.from({ length: 4 }, () => refusals).flat());
        await stage.consume();
        await stage.outputs(MESSAGES);
        await stage.committed();
        return stage.verdict();
      }),
  },
  {
    number: 11,
    title: "fatal producer errors: OUT_OF_ORDER_SEQUENCE, INVALID_PRODUCER_EPOCH",
    expected: "another producer goes on; nothing lost; repeats carry the same ids",
    quick: true,
    run: () =>
      MockStage.with({}, async (stage) => {
        await stage.send(MESSAGES);
        stage.cluster.pushErrors("produce", [
          0,
          BROKER_ERROR.outOfOrderSequence,
          0,
          BROKER_ERROR.invalidProducerEpoch,
        ]);
        await stage.consume();
        await stage.outputs(MESSAGES);
        await stage.committed();
        return stage.verdict(sameId);
      }),
  },
  {
    number: 12,
    title: "an output of 1 MB + 1",
    expected: "that message is a dead letter with its reason; its neighbours go on",
    quick: true,
    run: () => {
      const { order, concurrency } = straight;
      const large = handler({
        name: "large",
        on: input,
        out: { output },
        order,
        concurrency,
        handle: ({ value }, { out }) =>
          out.output(value.id === `m-${TOO_LARGE}` ? { ...value, padding: "x".repeat(1_048_577) } : value),
      });
      return MockStage.with({ handler: large }, async (stage) => {
        await stage.send(MESSAGES);
        await stage.consume();
        await stage.outputs(MESSAGES - 1);
        await stage.committed();
        const causes = stage.store.deadLetters.map(({ messageId, cause }) => `${messageId} ${cause}`);
        const right = causes.join() === `m-${TOO_LARGE} record_too_large`;
        return stage.verdict({}, { not: [TOO_LARGE], complaints: right ? [] : [`dead: ${causes.join()}`] });
      });
    },
  },
  {
    number: 13,
    title: "poison: no JSON, no UTF-8, the wrong shape, deep nesting, nothing at all",
    expected: "dead letters with their reasons; neighbours unaffected",
    quick: true,
    run: () =>
      MockStage.with({}, async (stage) => {
        await stage.send(MESSAGES / 2);
        const texts = ["{", "\u0000", '{"id":1}', "[".repeat(100_000), ""];
        for (const text of texts) await stage.sendBytes(new TextEncoder().encode(text));
        await stage.sendBytes(Uint8Array.of(0xff, 0xfe));
        await stage.send(MESSAGES / 2);
        await stage.consume();
        await stage.outputs(MESSAGES);
        await stage.committed();
        const { length } = stage.store.deadLetters;
        return stage.verdict(
          {},
          { complaints: length === texts.length + 1 ? [] : [`${length} dead letters`] },
        );
      }),
  },
  {
    number: 14,
    title: "brokers of three go down one after the other, and the coordinator moves",
    expected: "goes on by itself; nothing lost; repeats carry the same ids",
    quick: true,
    run: () =>
      MockStage.with({ brokers: 3 }, async (stage) => {
        await stage.consume();
        for (const broker of [1, 2, 3]) {
          await stage.send(MESSAGES / 3);
          stage.cluster.brokerDown(broker);
          await Bun.sleep(DOWN_MS);
          stage.cluster.brokerUp(broker);
          stage.cluster.moveGroup("mock.straight", broker);
        }
        await stage.outputs(MESSAGES);
        await stage.committed();
        return stage.verdict(sameId);
      }),
  },
  {
    number: 16,
    title: "retention removes what was not read",
    expected: "said and counted, never silent; other partitions go on",
    quick: true,
    run: () =>
      MockStage.with({}, async (stage) => {
        await stage.send(MESSAGES);
        const first = await stage.consume();
        await stage.outputs(MESSAGES);
        await first.stop(5_000);
        await stage.send(MESSAGES);
        // Keys lie on the same partitions in and out, and both halves have the same keys.
        const half = stage.outputsOn(STRUCK);
        stage.cluster.deleteRecords(input.name, STRUCK, Math.ceil(half * 1.5));
        await stage.consume();
        await stage.said("bus: offset_out_of_range");
        await stage.outputs(2 * MESSAGES - half);
        return verdictOf({ successes: stage.through, complaints: half === 0 ? ["nothing was struck"] : [] });
      }),
  },
];

/** Members of the classic protocol, for errors that only it knows. */
const CLASSIC_GROUP = {
  groupProtocol: "classic",
  consumerConfig: { "session.timeout.ms": 2_000, "heartbeat.interval.ms": 200 },
} as const;
/**
 * The mock cluster takes a later batch where an earlier one was refused, which no real broker does; librdkafka then believes
 * that the earlier one is there too.
 */
const ONE_REQUEST = { "max.in.flight.requests.per.connection": 1 } as const;
const SLOW_MS = 3_000;
const LATE_MS = 1_500;
const TOO_LARGE = 77;
const DOWN_MS = 700;
/** The partition whose unread half is cut into. */
const STRUCK = 0;
