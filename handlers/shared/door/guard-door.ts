/**
 * Is this door guarded, and may it stand where it stands? Said at the start.
 *
 * In: where the door listens, the keys there are. Out: the guard, a line for the report; or an error, for a door that others can
 * reach and nobody guards.
 */
import { CauceError } from "cauce";
import type { World } from "cauce/run";
import type { Repository } from "../storage/repository.ts";
import { openKeyGuard, type KeyGuard } from "./key-guard.ts";

type DoorWorld = Pick<World<unknown>, "door" | "runs" | "clock" | "log">;

/** @throws CauceError `config_invalid` when anybody could ask. */
export async function openGuard(world: DoorWorld, repository: Repository): Promise<KeyGuard> {
  const { clock, log } = world;
  const exposed = world.runs.ingress && world.door.exposed;
  const guard = await openKeyGuard({ repository, clock, log, always: exposed });
  if (!exposed || (await repository.apiKeys()).length > 0) return guard;
  guard.close();
  throw new CauceError(
    "config_invalid",
    "HOST lets others reach the door, and no API key was ever made: anybody could ask. Make one with `bun run keys make NAME`, " +
      "leave HOST at 127.0.0.1, or set DOOR_GUARD=elsewhere when the network in front of it guards the door",
  );
}

export function keysPart({ door }: Pick<World<unknown>, "door">, guard: KeyGuard) {
  const what = guard.required
    ? "needed: authorization: Bearer KEY"
    : door.loopback
      ? "none: whoever is on this machine may ask, nobody else reaches the door"
      : "none: whoever reaches the door may ask (DOOR_GUARD=elsewhere)";
  return { part: "api keys", what, standIn: false };
}
