/**
 * The hop that everybody does: parse, validate, n + 1, write. What of it is not the runtime's own.
 *
 * In: bytes. Out: a schema and a step. Also for peers on Node: no import of ours.
 */
import * as v from "valibot";

export const Numbered = v.looseObject({ id: v.string(), n: v.number(), text: v.string() });
export type Numbered = v.InferOutput<typeof Numbered>;

export function step(value: Numbered): Numbered {
  return { ...value, n: value.n + 1 };
}
