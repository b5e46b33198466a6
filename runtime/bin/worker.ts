/**
 * What a worker process owes its supervisor: the path of its journal, and its own end when the supervisor is gone.
 *
 * In: an environment. Out: the tie to the supervisor. Never here: starting or restarting (supervise.ts).
 */

/** Set in the environment of a process that another one supervises. */
export const SUPERVISED = "CAUCE_SUPERVISED";

/**
 * One Ctrl-C arrives twice where `bun run` stands in between: the terminal signals the whole group, and bun passes its own on.
 * Only what comes later than this is a second wish.
 */
export const SECOND_WISH_MS = 1_000;

export interface Tie {
  readonly supervised: boolean;
  /** Tells the supervisor where to look after a death. */
  tell(journal: string): void;
  /** From here on the end is this process's own business. */
  loosen(): void;
}

export function tieToSupervisor(environment: Readonly<Record<string, string | undefined>>): Tie {
  const supervised = environment[SUPERVISED] !== undefined && process.send !== undefined;
  if (!supervised) return { supervised, tell() {}, loosen() {} };
  // A `kill -9` of the supervisor means this process too: nobody would see it end.
  const follow = () => process.kill(process.pid, "SIGKILL");
  process.on("disconnect", follow);
  return {
    supervised,
    tell: (journal) => void process.send?.({ journal }),
    loosen() {
      process.off("disconnect", follow);
      process.disconnect?.();
    },
  };
}
