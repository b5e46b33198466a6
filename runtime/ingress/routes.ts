/**
 * The application's routes, declared on an Elysia instance that the runtime serves.
 */
import { Elysia, type AnyElysia, type DocumentDecoration } from "elysia";

/** What an application's routes file exports. */
export type Routes = (door: Elysia) => AnyElysia;

/** Declares routes: `routes((door) => door.post("/query", …))`. */
export function routes(declare: Routes): Routes {
  return declare;
}

/** What the OpenAPI document says of a route beside its schemas: an operation as version 3.1 has it. */
export interface Description {
  readonly summary: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly object[];
  readonly parameters?: readonly object[];
  readonly responses?: Readonly<Record<string, object>>;
}

/** For a route's `detail`: `door.get("/x", …, { detail: described({ summary: "X" }) })`. */
export function described(operation: Description): DocumentDecoration {
  // Elysia's types know version 3.0; what is written goes into the document as it is.
  return operation as DocumentDecoration;
}

export { Elysia };
