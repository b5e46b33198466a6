/** The native border: random input through the shim's C code under sanitizers, and damaged batches through the decoder. */
import { describe, expect, test } from "bun:test";
import { CauceError } from "../../../runtime/ground/errors.ts";
import { decodeBatches } from "../../../runtime/kafka/batch.ts";
import { RECORD } from "../../../runtime/kafka/layout.ts";
import { fuzz } from "./run.ts";

const TIMEOUT_MS = 120_000;
const SEED = 20_261_127;

describe("the shim under the address sanitizer", () => {
  test(
    "takes random messages, tables and reports without a step beside its memory",
    async () => {
      expect(await fuzz({ seconds: 3, seed: SEED })).toMatchObject({ passed: true });
    },
    TIMEOUT_MS,
  );

  const faults: Readonly<Record<string, readonly [string, string]>> = {
    "a bound that forgets the value": [
      "end + key_bytes + value_bytes > capacity",
      "end + key_bytes > capacity",
    ],
    "a bound that forgets the headers": [
      "end + 8 + (i64)(name_bytes + value_bytes) > capacity",
      "end > capacity",
    ],
    "a message given back twice": ["if (buffer) return at;", "if (buffer && at < count) return at;"],
    "a refused record's headers that stay": ["  kafka.headers_destroy(headers);", "  "],
    "a report that counts twice": ["answers->failed++;", "answers->failed += 2;"],
  };
  for (const [title, [right, wrong]] of Object.entries(faults)) {
    test(
      `finds ${title}`,
      async () => {
        const plant = (source: string) => {
          expect(source).toContain(right);
          return source.replace(right, wrong);
        };
        expect(await fuzz({ seconds: 3, seed: SEED, plant })).toMatchObject({ passed: false });
      },
      TIMEOUT_MS,
    );
  }
});

describe("a damaged batch", () => {
  test("ends in an error or in records, never in a crash", () => {
    let state = SEED;
    const below = (n: number) => (state = (state * 48_271) % 2_147_483_647) % n;
    for (let round = 0; round < 3_000; round++) {
      const count = 1 + below(4);
      const buffer = new ArrayBuffer(count * RECORD.size + below(200));
      const bytes = new Uint8Array(buffer);
      for (let at = 0; at < bytes.length; at++) bytes[at] = below(4) === 0 ? below(256) : 0;
      try {
        const { records } = decodeBatches([{ count, buffer, recycle: () => undefined }], () => true);
        for (const { key, value, headers, timestampMs } of records) void [key, value, headers, timestampMs];
      } catch (error) {
        // What lies outside of the buffer is refused by the view itself.
        expect(error instanceof CauceError || error instanceof RangeError).toBe(true);
      }
    }
  });
});
