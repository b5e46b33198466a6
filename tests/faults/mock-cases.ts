/**
 * Errors that a broker answers, pushed into librdkafka's mock cluster.
 *
 * In: nothing. Out: cases. Never here: durability, which the mock cluster cannot show.
 */
import { handler } from "cauce";
import { verdictOf, type FaultCase } from "./case.ts";
import { MESSAGES, mockHop } from "./mock-hop.ts";
import { input, MockStage, output, straight } from "./mock-stage.ts";

const BROKER_ERROR = {
  notLeader: 6,
  requestTimedOut: 7,
  coordinatorLoads: 14,
  notCoordinator: 16,
  notEnoughReplicas: 19,
  illegalGeneration: 22,
  unknownMember: 25,
  outOfOrderSequence: 45,
  invalidProducerEpoch: 47,
  staleMemberEpoch: 113,
} as const;

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
const DOWN_MS = 700;
/** The partition whose unread half is cut into. */
const STRUCK = 0;

const slow = handler({
  name: "slow",
  on: input,
  out: { output },
  order: straight.order,
  concurrency: straight.concurrency,
  async handle({ value }, { out }) {
    await Bun.sleep(value.seq === 0 ? SLOW_MS : 0);
    return out.output(value);
  },
});

export const mockCases: readonly FaultCase[] = [
  mockHop({
    number: 4,
    title: "a handler that runs twice as long as max.poll.interval.ms",
    expected: "no rebalance, nothing repeated",
    stage: { handler: slow, consumerConfig: { "max.poll.interval.ms": SLOW_MS / 2 } },
    complaints: ({ lines }) => lines.map(({ event }) => event),
  }),
  mockHop({
    number: 6,
    title: "OffsetCommit refused: ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REQUEST_TIMED_OUT, COORDINATOR_LOAD",
    expected: "tried again until acknowledged; repeats carry the same ids",
    stage: CLASSIC_GROUP,
    mayRepeat: true,
    before: ({ cluster }) =>
      cluster.pushErrors("offsetCommit", [
        BROKER_ERROR.illegalGeneration,
        BROKER_ERROR.unknownMember,
        BROKER_ERROR.requestTimedOut,
        BROKER_ERROR.coordinatorLoads,
      ]),
  }),
  mockHop({
    number: 6,
    title: "OffsetCommit refused under KIP-848: STALE_MEMBER_EPOCH, UNKNOWN_MEMBER_ID",
    expected: "tried again until acknowledged; repeats carry the same ids",
    mayRepeat: true,
    before: ({ cluster }) =>
      cluster.pushErrors("offsetCommit", [BROKER_ERROR.staleMemberEpoch, BROKER_ERROR.unknownMember]),
  }),
  mockHop({
    number: 7,
    title: "OffsetFetch refused on join: STALE_MEMBER_EPOCH, NOT_COORDINATOR",
    expected: "tried again; goes on where the group was, never at an end",
    async before(stage) {
      const first = await stage.consume();
      await stage.outputs(MESSAGES);
      await first.stop(5_000);
      await stage.send(MESSAGES);
      stage.cluster.pushErrors("offsetFetch", [
        BROKER_ERROR.staleMemberEpoch,
        BROKER_ERROR.notCoordinator,
        BROKER_ERROR.coordinatorLoads,
      ]);
    },
  }),
  mockHop({
    number: 9,
    title: "answers to Produce come after message.timeout.ms",
    expected: "possibly persisted: not committed before it is published again, under the same ids",
    stage: { producerConfig: { "message.timeout.ms": 1_000 } },
    mayRepeat: true,
    async during(stage) {
      await stage.outputs(1);
      stage.cluster.delayBroker(LATE_MS);
      await Bun.sleep(2 * LATE_MS);
      stage.cluster.delayBroker(0);
    },
  }),
  mockHop({
    number: 10,
    title: "Produce refused for a while: NOT_LEADER, NOT_ENOUGH_REPLICAS",
    expected: "nothing repeated, nothing reordered",
    stage: { producerConfig: ONE_REQUEST },
    before({ cluster }) {
      const refusals = [BROKER_ERROR.notLeader, BROKER_ERROR.notEnoughReplicas, 0];
      cluster.pushErrors("produce", Array.from({ length: 4 }, () => refusals).flat());
    },
  }),
  mockHop({
    number: 11,
    title: "fatal producer errors: OUT_OF_ORDER_SEQUENCE, INVALID_PRODUCER_EPOCH",
    expected: "another producer goes on; nothing lost; repeats carry the same ids",
    mayRepeat: true,
    before: ({ cluster }) =>
      cluster.pushErrors("produce", [
        0,
        BROKER_ERROR.outOfOrderSequence,
        0,
        BROKER_ERROR.invalidProducerEpoch,
      ]),
  }),
  mockHop({
    number: 14,
    title: "brokers of three go down one after the other, and the coordinator moves",
    expected: "goes on by itself; nothing lost; repeats carry the same ids",
    stage: { brokers: 3 },
    mayRepeat: true,
    async during(stage) {
      for (const broker of [1, 2, 3]) {
        await stage.send(MESSAGES / 3);
        stage.cluster.brokerDown(broker);
        await Bun.sleep(DOWN_MS);
        stage.cluster.brokerUp(broker);
        stage.cluster.moveGroup("mock.straight", broker);
      }
    },
  }),
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
