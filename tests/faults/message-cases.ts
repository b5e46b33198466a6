/**
 * Messages that cannot be handled, or not as they are: too large, poison, of another shape than the schema's.
 *
 * In: nothing. Out: cases on the mock cluster. Never here: what brokers and networks do.
 */
import { handler, topic } from "cauce";
import * as v from "valibot";
import { recordOf } from "../../runtime/engine/emit.ts";
import type { FaultCase } from "./case.ts";
import { MESSAGES, mockHop } from "./mock-hop.ts";
import { input, mockNumbered, type MockStage, output, straight } from "./mock-stage.ts";

const TOO_LARGE = 77;

const large = handler({
  name: "large",
  on: input,
  out: { output },
  order: straight.order,
  concurrency: straight.concurrency,
  handle: ({ value }, { out }) =>
    out.output(value.id === `m-${TOO_LARGE}` ? { ...value, padding: "x".repeat(1_048_577) } : value),
});

const utf8 = new TextEncoder();
const POISON = [
  ...["{", "\u0000", '{"id":1}', "[".repeat(100_000), ""].map((text) => utf8.encode(text)),
  Uint8Array.of(0xff, 0xfe),
];

/** The input topic as a producer has it that is a version ahead. */
const newer = topic(input.name, { schema: v.looseObject({ id: v.number() }), version: 2 });

async function drift(stage: MockStage): Promise<void> {
  const { key, ...withoutKey } = mockNumbered(0);
  await stage.sendBytes(utf8.encode(JSON.stringify(withoutKey)));
  await stage.sendBytes(utf8.encode(JSON.stringify({ ...withoutKey, key, seq: "first" })));
  const envelope = { id: "newer", bornAtMs: 0, traceparent: null, source: "/faults" };
  await stage.sendRecord(await recordOf(newer, { id: 1 }, envelope));
  await stage.send(MESSAGES, (value) => ({ ...value, added: value.seq }));
}

async function drifted(stage: MockStage): Promise<readonly string[]> {
  const dead = stage.store.deadLetters.map(({ cause }) => cause);
  const kept = stage.values.filter((value) => value["added"] === value.seq).length;
  const waiting = (await stage.store.counts()).reduce((sum, counts) => sum + counts.waiting, 0);
  return [
    dead.join() === "invalid_value,invalid_value" ? "" : `dead: ${dead.join()}`,
    kept === MESSAGES ? "" : `${kept} of ${MESSAGES} kept the field that they do not know`,
    waiting === 1 ? "" : `${waiting} rows wait, not the one of a newer version`,
  ].filter((complaint) => complaint !== "");
}

export const messageCases: readonly FaultCase[] = [
  mockHop({
    number: 12,
    title: "an output of 1 MB + 1",
    expected: "that message is a dead letter with its reason; its neighbours go on",
    stage: { handler: large },
    dead: [TOO_LARGE],
    complaints({ store }) {
      const causes = store.deadLetters.map(({ messageId, cause }) => `${messageId} ${cause}`);
      return causes.join() === `m-${TOO_LARGE} record_too_large` ? [] : [`dead: ${causes.join()}`];
    },
  }),
  mockHop({
    number: 13,
    title: "poison: no JSON, no UTF-8, the wrong shape, deep nesting, nothing at all",
    expected: "dead letters with their reasons; neighbours unaffected",
    async before(stage) {
      for (const bytes of POISON) await stage.sendBytes(bytes);
      await stage.send(MESSAGES);
    },
    complaints: ({ store: { deadLetters } }) =>
      deadLetters.length === POISON.length ? [] : [`${deadLetters.length} dead letters`],
  }),
  mockHop({
    number: 29,
    title: "a field is added, removed, retyped; a producer is a version ahead",
    expected: "unknown fields stay; what does not fit is a dead letter; the newer version waits",
    before: drift,
    complaints: drifted,
  }),
];
