/**
 * Who may see the operators' numbers: on loopback everybody, or who has the token; where others reach the door, the token alone.
 *
 * In: requests. Out: a refusal, or nothing; and a line in the log for what was refused, one a second at most. Never here: what the
 * numbers say. Replay, pause and the schedule are commands with the database's own password: no route does any of it.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../ground/clock.ts";
import type { Log } from "../ground/log.ts";
import { problem } from "./problem.ts";

export interface OperatorGuardOptions {
  /** What operators show as `authorization: Bearer …`; undefined where there is none. */
  readonly token?: string | undefined;
  /** Others than this machine reach the door. */
  readonly exposed: boolean;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
}

/** Undefined for who may go on. */
export type OperatorGuard = (request: Request, route: string) => Response | undefined;

const AUDIT_EVERY_MS = 1_000;

export function operatorGuard({ token, exposed, clock, log }: OperatorGuardOptions): OperatorGuard {
  const wanted = token === undefined ? null : digest(`Bearer ${token}`);
  let saidMs = -Infinity;
  let unsaid = 0;
  const audit = (route: string, why: string) => {
    const nowMs = clock.monotonicMs();
    if (nowMs - saidMs < AUDIT_EVERY_MS) return void unsaid++;
    log.warn("an operators' route was refused", { route, why, ...(unsaid > 0 && { more: unsaid }) });
    saidMs = nowMs;
    unsaid = 0;
  };
  return (request, route) => {
    if (wanted === null) {
      if (!exposed) return undefined;
      audit(route, "no OPERATOR_TOKEN is set");
      return problem(403, { title: "Not shown here", detail: "operators set OPERATOR_TOKEN and show it" });
    }
    const shown = request.headers.get("authorization");
    // Of equal length whatever was shown, so that nothing can be learned from the time it takes.
    if (shown !== null && timingSafeEqual(digest(shown), wanted)) return undefined;
    audit(route, shown === null ? "no token" : "another token");
    return problem(401, {
      title: "The operators' token is needed",
      headers: { "www-authenticate": 'Bearer realm="cauce operators"' },
    });
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
