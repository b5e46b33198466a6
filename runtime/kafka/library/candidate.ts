/**
 * Is this file a librdkafka that we can work with?
 *
 * In: a path. Out: its version, or why it is refused, as data. The file is opened, asked and closed again.
 * Never here: searching, fetching, and the deeper self-test of the binding (struct sizes, a round trip).
 */
import { dlopen } from "bun:ffi";
import { messageOf } from "../../ground/errors.ts";

export type Inspection =
  { readonly ok: true; readonly version: string } | { readonly ok: false; readonly reason: string };

/** The oldest librdkafka that is accepted: 2.12 made KIP-848 groups production-ready; 2.0 also skips offsets. */
export const OLDEST_ACCEPTED = "2.12.0";

/** Functions that only a complete librdkafka exports, the youngest ones of those we call among them. */
const NEEDED = {
  rd_kafka_version: { args: [], returns: "i32" },
  rd_kafka_new: { args: ["i32", "ptr", "ptr", "u64"], returns: "ptr" },
  rd_kafka_queue_io_event_enable: { args: ["ptr", "i32", "ptr", "u64"], returns: "void" },
  rd_kafka_consume_batch_queue: { args: ["ptr", "i32", "ptr", "u64"], returns: "i64" },
  rd_kafka_incremental_assign: { args: ["ptr", "ptr"], returns: "ptr" },
  rd_kafka_mock_cluster_new: { args: ["ptr", "i32"], returns: "ptr" },
} as const;

/** Opens the file, reads its version and closes it again. Never throws. */
export function inspectLibrary(path: string): Inspection {
  try {
    const library = dlopen(path, NEEDED);
    const version = versionText(library.symbols.rd_kafka_version());
    library.close();
    if (compareVersions(version, OLDEST_ACCEPTED) >= 0) return { ok: true, version };
    return { ok: false, reason: `it is ${version}, older than ${OLDEST_ACCEPTED}` };
  } catch (thrown) {
    return { ok: false, reason: firstLine(messageOf(thrown)) };
  }
}

/** librdkafka's 0xMMmmrrxx as "M.m.r"; the last byte tells release candidates and is left out. */
export function versionText(version: number): string {
  return [24, 16, 8].map((shift) => (version >>> shift) & 0xff).join(".");
}

/** Negative where `a` is the older, 0 where they are the same. Both are "M.m.r". */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  for (let index = 0; index < 3; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}
