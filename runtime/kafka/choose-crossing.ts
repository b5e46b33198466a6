/**
 * Which way across: the shim where it compiles, plain calls elsewhere.
 *
 * In: a library and a choice. Out: a crossing that passed the load self-test, one per process and choice.
 */
import { CauceError, messageOf } from "../ground/errors.ts";
import type { Crossing, CrossingChoice } from "./crossing.ts";
import { plainCrossing } from "./plain.ts";
import { assertMessageLayout } from "./self-test.ts";
import { shimCrossing } from "./shim.ts";
import type { Library } from "./symbols.ts";

const opened = new Map<string, Crossing>();

/**
 * The crossing for a library; made once per process and kind.
 * @throws CauceError `library_unusable` where the library fails the self-test, or where "shim" was asked for and cannot be compiled here.
 */
export function openCrossing(library: Library, choice: CrossingChoice = "auto"): Crossing {
  const key = `${choice} ${library.path}`;
  const known = opened.get(key);
  if (known) return known;
  const crossing = make(library, choice);
  assertMessageLayout(library, crossing);
  opened.set(key, crossing);
  return crossing;
}

function make(library: Library, choice: CrossingChoice): Crossing {
  if (choice === "plain") return plainCrossing(library);
  try {
    return shimCrossing(library);
  } catch (cause) {
    const reason = `the C shim cannot be compiled here: ${messageOf(cause)}`;
    if (choice === "shim") throw new CauceError("library_unusable", reason, { cause });
    return { ...plainCrossing(library), reason };
  }
}
