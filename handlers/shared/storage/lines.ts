/**
 * Connections to Postgres, each used by one caller at a time and never again once it was lost.
 *
 * postgres.js queues, reconnects and rolls back on connections that are gone already: such a write is never answered,
 * throws where nobody can catch it, or leaves a connection open for ever (porsager/postgres#1208, #1216). With one
 * client a caller nothing is ever queued on a lost one. In: how to connect. Out: lines, at most so many; whoever comes
 * later waits. Never here: deadlines, what is asked.
 */
import type postgres from "postgres";

export interface Line {
  readonly client: postgres.Sql;
  /** True from the moment at which nothing more may be sent on it. */
  lost: boolean;
}

export interface Lines {
  take(): Promise<Line>;
  /** Each line that was taken comes back once, lost or not. */
  giveBack(line: Line): void;
  close(timeoutSeconds: number): Promise<void>;
}

/** `connect` makes a client with `max: 1` that calls back when its connection ends. */
export function openLines(connect: (ended: () => void) => postgres.Sql, most: number): Lines {
  const lines = new Set<Line>();
  const idle: Line[] = [];
  const waiting: (() => void)[] = [];

  function open(): Line {
    const client = connect(() => {
      line.lost = true;
    });
    const line: Line = { client, lost: false };
    lines.add(line);
    return line;
  }

  function drop(line: Line): void {
    lines.delete(line);
    void line.client.end({ timeout: 0 }).catch(() => {});
  }

  return {
    async take() {
      for (;;) {
        const known = idle.pop();
        if (known !== undefined && !known.lost) return known;
        if (known !== undefined) drop(known);
        else if (lines.size < most) return open();
        else await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
    giveBack(line) {
      if (line.lost) drop(line);
      else idle.push(line);
      waiting.shift()?.();
    },
    async close(timeoutSeconds) {
      await Promise.all([...lines].map(({ client }) => client.end({ timeout: timeoutSeconds })));
    },
  };
}
