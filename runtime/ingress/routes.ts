/**
 * The application's routes, declared on an Elysia instance that the runtime serves.
 */
import { Elysia, type AnyElysia } from "elysia";

/** What an application's routes file exports. */
export type Routes = (door: Elysia) => AnyElysia;

/** Declares routes: `routes((door) => door.post("/query", …))`. */
export function routes(declare: Routes): Routes {
  return declare;
}

export { Elysia };
