/**
 * What one process runs: `RUN=llm.requests,ingress` in, a checked selection out.
 */
import { CauceError } from "../ground/errors.ts";
import type { Handler } from "../handler/handler.ts";
import { selectHandlers } from "../handler/loader.ts";

export interface Selection {
  readonly handlers: readonly Handler[];
  readonly ingress: boolean;
  readonly scheduler: boolean;
}

/**
 * An empty list selects everything.
 * @throws CauceError `config_invalid` for a name that is no handler, no topic, not `ingress` and not `scheduler`.
 */
export function select(run: readonly string[], handlers: readonly Handler[]): Selection {
  if (run.length === 0) return { handlers, ingress: true, scheduler: true };
  const known = new Set([
    "ingress",
    "scheduler",
    ...handlers.flatMap((handler) => [handler.name, handler.on.name]),
  ]);
  const unknown = run.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new CauceError(
      "config_invalid",
      `RUN names ${unknown.join(", ")}; there are ${[...known].toSorted((a, b) => a.localeCompare(b)).join(", ")}`,
    );
  }
  const names = run.filter((name) => name !== "ingress" && name !== "scheduler");
  return {
    handlers: names.length === 0 ? [] : selectHandlers(handlers, names),
    ingress: run.includes("ingress"),
    scheduler: run.includes("scheduler"),
  };
}
