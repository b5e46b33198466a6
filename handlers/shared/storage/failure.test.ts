import { describe, expect, test } from "bun:test";
import { CauceError, Unavailable } from "cauce";
import { storageFailure } from "./failure.ts";
import { storableJson, storableJsonText, storableText } from "./storable.ts";

const failed = (code: string) => Object.assign(new Error("it went wrong"), { code });

describe("a failure of the database", () => {
  test("is one to wait for when the database is away, full, stopping or overloaded", () => {
    for (const code of [
      "ECONNREFUSED",
      "CONNECT_TIMEOUT",
      "CONNECTION_CLOSED",
      "57P01",
      "53100",
      "53300",
      "40P01",
      "08006",
      "57014",
    ]) {
      expect(storageFailure("asking", failed(code))).toBeInstanceOf(Unavailable);
    }
  });

  test("is final when the statement itself is wrong", () => {
    for (const code of ["22P05", "23502", "42703", "22001"]) {
      const failure = storageFailure("asking", failed(code));
      expect([failure.code, failure instanceof Unavailable]).toEqual(["database", false]);
    }
  });

  test("shows the driver's words, never the query with its parameters around them", () => {
    const wrapped = new Error("Failed query: insert … params: secret", { cause: failed("23502") });
    expect(storageFailure("asking", wrapped).message).toBe("asking: Postgres refused: it went wrong (23502)");
  });

  test("stays what it is when it is one of ours", () => {
    const ours = new CauceError("defect", "x");
    expect(storageFailure("asking", ours)).toBe(ours);
  });
});

describe("storable text", () => {
  test("has U+FFFD where Postgres would refuse, at any depth", () => {
    expect(storableText("a\u0000b\ud800")).toBe("a\ufffdb\ufffd");
    const value: unknown = { "k\u0000": ["\udfff", { deep: "\u0000" }], n: 1, t: true, no: null };
    expect(storableJson(value)).toEqual({
      "k\ufffd": ["\ufffd", { deep: "\ufffd" }],
      n: 1,
      t: true,
      no: null,
    });
    expect(JSON.parse(storableJsonText(value))).toEqual(storableJson(value));
  });

  test("is left as it was written where Postgres takes it", () => {
    const value = { path: String.raw`C:\users`, lines: "a\nb\tc", smile: "😀" };
    expect(JSON.parse(storableJsonText(value))).toEqual(value);
  });
});
