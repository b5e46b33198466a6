import { describe, expect, test } from "bun:test";
import { CauceError } from "../ground/errors.ts";
import { databaseFailure } from "./failure.ts";

const coded = (code: string, message = "words") => Object.assign(new Error(message), { code });

describe("a failure of Postgres", () => {
  test.each([
    "ECONNREFUSED",
    "ECONNRESET",
    "EPIPE",
    "ENOTFOUND",
    "CONNECTION_CLOSED",
    "CONNECTION_ENDED",
    "CONNECTION_DESTROYED",
    "CONNECT_TIMEOUT",
    "57P01",
    "57P02",
    "57P03",
    "57014",
    "08006",
    "08P01",
    "53100",
    "53300",
    "25P03",
    "25006",
    "40P01",
    "40001",
    "55P03",
    "58030",
  ])("%s means that waiting helps", (code) => {
    expect(databaseFailure(coded(code))).toMatchObject({ code: "unavailable", retryable: true });
  });

  test.each(["23505", "42P01", "28P01", "3D000", "42501", "22021", "25P02", "SASL_SIGNATURE_MISMATCH"])(
    "%s means that someone must act",
    (code) => {
      expect(databaseFailure(coded(code))).toMatchObject({ code: "database", retryable: false });
    },
  );

  test("is found inside the error that a query builder wraps around it", () => {
    const wrapped = new Error("Failed query: insert …\nparams: secret", {
      cause: coded("ECONNREFUSED", "no one there"),
    });
    const failure = databaseFailure(wrapped);
    expect(failure.code).toBe("unavailable");
    expect(failure.message).toContain("no one there");
    expect(failure.message).not.toContain("secret");
  });

  test("names its code and never a password", () => {
    const failure = databaseFailure(coded("28P01", "cannot use postgres://ada:canary@db/x"));
    expect(failure.message).toContain("28P01");
    expect(failure.message).not.toContain("canary");
  });

  test("that is one of ours already stays as it is", () => {
    const ours = new CauceError("closed", "closed");
    expect(databaseFailure(ours)).toBe(ours);
  });

  test("may be anything that was thrown", () => {
    expect(databaseFailure("boom").code).toBe("database");
    expect(databaseFailure(undefined).code).toBe("database");
    expect(databaseFailure(null).code).toBe("database");
  });
});
