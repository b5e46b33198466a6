/** Constructors of outputs. */
import { expect, test } from "bun:test";
import * as v from "valibot";
import { emittersFor } from "./emission.ts";
import { topic } from "./topic.ts";

const anything = topic("outputs.any", { schema: v.unknown(), key: () => null });

test("constructors work apart from `out`, and each run has its own list", () => {
  const outputs = { next: anything };
  const [first, second] = [emittersFor(outputs), emittersFor(outputs)];
  const { next } = first.out;
  const made = next?.(1);
  second.out["next"]?.(2);
  expect<unknown[]>(first.made).toEqual([made]);
  expect(second.made).toMatchObject([{ output: "next", topic: anything, value: 2, afterMs: null }]);
});

test("an output may have any name, and no other name answers", () => {
  const { out, made } = emittersFor({ constructor: anything, toString: anything });
  for (const name of ["constructor", "toString"]) out[name]?.(name);
  expect(made.map(({ output }) => output)).toEqual(["constructor", "toString"]);
  const other = emittersFor({ next: anything }).out;
  for (const name of ["constructor", "toString", "hasOwnProperty", "made"])
    expect(other[name]).toBeUndefined();
});
