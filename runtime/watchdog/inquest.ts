/**
 * Who is suspected of a process's death.
 *
 * In: a dead process's journal, and how it died where somebody saw it. Out: lines in the file of suspects, and the journal
 * gone. A `kill -9` from outside blames nobody. Never here: restarting, dead letters.
 */
import { readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readJournal, type Blamed, type Testimony } from "./journal.ts";
import type { Suspects } from "./suspects.ts";

/** What was seen of a death from outside. */
export type Death =
  /** By a signal of its own making, or by an exit in the middle of work. */
  | { readonly kind: "crash"; readonly words: string }
  /** Ended by the kernel, which had no memory left. */
  | { readonly kind: "memory" }
  /** Ended by somebody. */
  | { readonly kind: "outside" }
  /** Nobody was there to see it. */
  | { readonly kind: "unseen" };

export interface Finding {
  readonly how: string;
  readonly suspects: readonly Blamed[];
}

/** Who may be guilty, and how it died, in words. Pure. */
export function judge(testimony: Testimony, death: Death): Finding {
  const { executing, running } = testimony;
  const onTheStack = executing === null ? running : [executing];
  if (testimony.stalled) return { how: "its event loop stood still", suspects: onTheStack };
  switch (death.kind) {
    case "crash":
      return { how: death.words, suspects: onTheStack };
    case "memory":
      // Whoever runs at that moment need not be the one that took the memory.
      return { how: "it was out of memory", suspects: running };
    case "outside":
      return { how: "it was killed from outside", suspects: [] };
    case "unseen":
      return testimony.supervised
        ? { how: "it ended together with its supervisor", suspects: [] }
        : { how: "it ended unseen", suspects: running };
  }
}

/** Writes down the suspects of one journal and removes it; null when someone else has done so, or it says nothing. */
export function holdInquest(journal: string, death: Death, suspects: Suspects): Finding | null {
  const taken = `${journal}.taken-${process.pid}`;
  try {
    renameSync(journal, taken);
  } catch {
    return null;
  }
  try {
    const testimony = readJournal(taken);
    if (testimony === null) return null;
    const finding = judge(testimony, death);
    suspects.accuse(finding.suspects, finding.how);
    return finding;
  } finally {
    rmSync(taken, { force: true });
  }
}

const JOURNAL_NAME = /^(\d+)-(\d+)\.running$/;

/** A journal's name tells whose it is, also from a later process with the same number. */
export function journalName(pid: number): string {
  return `${pid}-${startOf(pid)}.running`;
}

/** Journals in the folder whose processes are gone. */
export function abandonedJournals(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((name) => {
    const [, pid = "", start = ""] = JOURNAL_NAME.exec(name) ?? [];
    return pid === "" || startOf(Number(pid)) === start ? [] : [join(folder, name)];
  });
}

/** For logs: at most a few of the suspects, in words. */
export function describeSuspects(suspects: readonly Blamed[]): readonly string[] {
  return suspects
    .slice(0, 10)
    .map(({ handler, topic, partition, offset }) => `${handler}: ${topic}/${partition}/${offset}`);
}

/** What a dead letter says of it. */
export function describeDeaths(deaths: number, how: string): string {
  return `the process died ${deaths} times while this message was run; the last time ${how}`;
}

/** When a process started, in the kernel's ticks since boot; "0" where it is gone or the system does not tell. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything; the 22nd field is the 20th after it.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
  } catch {
    return "0";
  }
}
