/**
 * Every bound of the HTTP door, in one table.
 */
import { CauceError } from "../ground/errors.ts";

export interface IngressLimits {
  /** Largest body of a request. Default 900,000: with the envelope it still fits Kafka's usual 1 MB `message.max.bytes`. */
  readonly bodyBytes: number;
  /** A body that has not arrived whole by then is refused with 408. Default 10,000. */
  readonly bodyMs: number;
  /** A connection on which nothing moves is closed, 1,000 to 255,000. Event streams are exempt. Default 30,000. */
  readonly idleMs: number;
  /** How long `stop` waits for requests in flight. Default 10,000. */
  readonly stopMs: number;
  /** `/healthz` answers 503 when the loop has not turned for that long. Default 10,000. */
  readonly staleMs: number;
  /** `Retry-After` of a 503, in seconds. Default 5. */
  readonly retryAfterS: number;
  /** Connections at once; more are answered 503 and closed. Default 0: as many as the system gives. */
  readonly connections: number;
  /** Connections at once from one address. Default 0: no other limit than that of all. */
  readonly connectionsPerAddress: number;
}

const BOUNDS: {
  readonly [Name in keyof IngressLimits]: readonly [preset: number, min: number, max: number];
} = {
  bodyBytes: [900_000, 1, 100_000_000],
  bodyMs: [10_000, 1, 3_600_000],
  idleMs: [30_000, 1_000, 255_000],
  stopMs: [10_000, 0, 3_600_000],
  staleMs: [10_000, 1, 3_600_000],
  retryAfterS: [5, 1, 86_400],
  connections: [0, 0, 1_000_000],
  connectionsPerAddress: [0, 0, 1_000_000],
};

/** The defaults with what the caller set. @throws CauceError `config_invalid` naming every bad limit. */
export function checkedLimits(given: Partial<IngressLimits> = {}): IngressLimits {
  const complaints: string[] = [];
  const limit = (name: keyof IngressLimits) => {
    const [preset, min, max] = BOUNDS[name];
    const value = given[name] ?? preset;
    if (!Number.isInteger(value) || value < min || value > max) {
      complaints.push(`${name} must be a whole number from ${min} to ${max}, not ${value}`);
    }
    return value;
  };
  const limits = {
    bodyBytes: limit("bodyBytes"),
    bodyMs: limit("bodyMs"),
    idleMs: limit("idleMs"),
    stopMs: limit("stopMs"),
    staleMs: limit("staleMs"),
    retryAfterS: limit("retryAfterS"),
    connections: limit("connections"),
    connectionsPerAddress: limit("connectionsPerAddress"),
  };
  if (complaints.length > 0)
    throw new CauceError("config_invalid", `limits of the door: ${complaints.join("; ")}`);
  return limits;
}
