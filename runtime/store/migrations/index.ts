/**
 * The store's own migrations, in order. Forward only: what was released is never edited, a change is a new file.
 */
// oxlint-disable-next-line typescript/triple-slash-reference -- a project that has Cauce as a package learns of .sql modules only so
/// <reference path="../sql.d.ts" />
import schedule from "./0001-schedule.sql" with { type: "text" };
import fences from "./0002-fences.sql" with { type: "text" };
import resume from "./0003-resume.sql" with { type: "text" };
import byHand from "./0004-by-hand.sql" with { type: "text" };
import interfaceForHands from "./0005-interface.sql" with { type: "text" };
import outbox from "./0006-outbox.sql" with { type: "text" };
import moves from "./0007-moves.sql" with { type: "text" };
import heldVersions from "./0008-held-versions.sql" with { type: "text" };
import budgets from "./0009-budgets.sql" with { type: "text" };

export interface Migration {
  /** Counts up from 1 without gaps. */
  readonly version: number;
  readonly name: string;
  /** Statements with `{schema}` and `{channel}` to fill in; they run in one transaction. */
  readonly text: string;
}

export const MIGRATIONS: readonly Migration[] = Object.freeze([
  { version: 1, name: "schedule", text: schedule },
  { version: 2, name: "fences", text: fences },
  { version: 3, name: "resume", text: resume },
  { version: 4, name: "by hand", text: byHand },
  { version: 5, name: "interface", text: interfaceForHands },
  { version: 6, name: "outbox", text: outbox },
  { version: 7, name: "moves", text: moves },
  { version: 8, name: "held versions", text: heldVersions },
  { version: 9, name: "budgets", text: budgets },
]);
