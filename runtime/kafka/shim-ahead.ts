/**
 * The shim built ahead of time: a shared object beside the library that it was built for.
 *
 * In: a library's path. Out: where its shim would lie. The name carries the hash of crossing.c, so that one of another
 * version is never loaded; and the library's name, since a shim keeps one table of functions.
 * Never here: building it (deploy/build-shim.ts), loading it (shim.ts).
 */
import { fileURLToPath } from "node:url";
import { sha256Of } from "./library/cache.ts";

/** The C code, in both ways: compiled at start and built ahead. */
export const SHIM_SOURCE = fileURLToPath(new URL("crossing.c", import.meta.url));

/** Where the shim for this library lies, if one was built. */
export function shimAheadOf(libraryPath: string): string {
  return `${libraryPath}.crossing-${sha256Of(SHIM_SOURCE).slice(0, 16)}.so`;
}
