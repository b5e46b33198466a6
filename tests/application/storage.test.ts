import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { migrateTables } from "../../handlers/shared/storage/migrate.ts";
import { createDatabase } from "../services/postgres.ts";
import { newQuestion, openStage, resultFor, type Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage("storage");
});
afterAll(() => stage.close());

const stateOf = async (id: string) => {
  const [row] = await stage.sql`select state, round, reason from question where id = ${id}`;
  return row;
};

/** Somebody in this database waits for another one's row. */
async function untilBlocked(): Promise<void> {
  for (;;) {
    const waiting = await stage.sql`select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    if (waiting.length > 0) return;
  }
}

describe("migrations", () => {
  test("four processes may migrate one empty database at once", async () => {
    const url = await createDatabase("migrate_at_once");
    await Promise.all([1, 2, 3, 4].map(() => migrateTables(url)));
    await migrateTables(url);
  });
});

describe("a claim", () => {
  test("has exactly one winner among a hundred at once", async () => {
    const question = newQuestion();
    const claims = await Promise.all(
      Array.from({ length: 100 }, () => stage.repository.claim(question, null)),
    );
    expect(claims.filter(({ won }) => won)).toHaveLength(1);
    const rows = await stage.sql`select * from question where id = ${question.id}`;
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ title: question.title, state: "queued", published_at: null, round: 1 });
  });

  test("keeps the first asker's reference and records another one, once", async () => {
    const question = newQuestion({ best_answer: "first" });
    await stage.repository.claim(question, null);
    for (const best_answer of ["second", "second", "first", ""]) {
      await stage.repository.claim({ ...question, best_answer }, null);
    }
    const [row] = await stage.sql`select best_answer from question where id = ${question.id}`;
    expect(row?.["best_answer"]).toBe("first");
    const others =
      await stage.sql`select best_answer from reference_answer where question_hash = ${question.id}`;
    expect(others.map((other) => other["best_answer"] as string)).toEqual(["second"]);
  });

  test("keeps a bounded number of other references", async () => {
    const question = newQuestion();
    await stage.repository.claim(question, null);
    for (let number = 0; number < 25; number++) {
      await stage.repository.claim({ ...question, best_answer: `reference ${number}` }, null);
    }
    const others = await stage.sql`select 1 from reference_answer where question_hash = ${question.id}`;
    expect(others).toHaveLength(20);
  });

  test("of a failed or cancelled question opens its next round, one winner again", async () => {
    for (const state of ["failed", "cancelled"]) {
      const question = newQuestion();
      await stage.repository.claim(question, null);
      await stage.repository.markPublished({ id: question.id, round: 1 });
      await stage.sql`update question set state = ${state}, reason = 'so' where id = ${question.id}`;
      const claims = await Promise.all([1, 2, 3, 4, 5].map(() => stage.repository.claim(question, null)));
      const winners = claims.flatMap((claim) => (claim.won ? [claim.claim] : []));
      expect(winners).toMatchObject([{ id: question.id, round: 2 }]);
      expect(await stateOf(question.id)).toMatchObject({ state: "queued", round: 2, reason: null });
    }
  });

  test("that waits while another one's result is being stored finds it, and opens no round", async () => {
    const question = newQuestion();
    await stage.repository.claim(question, null);
    await stage.repository.storeResult(resultFor(question.id));
    const [stored] =
      await stage.sql`delete from response_event where question_hash = ${question.id} returning *`;
    await stage.sql`update question set state = 'scoring' where id = ${question.id}`;
    let claim: ReturnType<typeof stage.repository.claim> | undefined;
    await stage.sql.begin(async (storing) => {
      await storing`insert into response_event ${storing(stored ?? {})}`;
      await storing`update question set state = 'done' where id = ${question.id}`;
      claim = stage.repository.claim(question, null);
      await untilBlocked();
    });
    expect(await claim).toEqual({ won: false, state: "done" });
    expect(await stateOf(question.id)).toMatchObject({ state: "done", round: 1 });
  });

  test("of a done question is lost, unless its result is gone", async () => {
    const question = newQuestion();
    await stage.repository.claim(question, null);
    await stage.repository.storeResult(resultFor(question.id));
    expect(await stage.repository.claim(question, null)).toEqual({ won: false, state: "done" });
    await stage.sql`delete from response_event where question_hash = ${question.id}`;
    expect(await stage.repository.claim(question, null)).toMatchObject({ won: true, claim: { round: 2 } });
  });
});

describe("a result", () => {
  test("is one row however often its message comes, and the first content stays", async () => {
    const question = newQuestion();
    await stage.repository.claim(question, null);
    await Promise.all([1, 2, 3].map(() => stage.repository.storeResult(resultFor(question.id))));
    const again = await stage.repository.storeResult(resultFor(question.id, { answer: "another" }));
    expect(again).toMatchObject({ answer: "Yes.", score: 8.5, judge: "told", below_threshold: false });
    const rows = await stage.sql`select * from response_event where question_hash = ${question.id}`;
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      title: "Question?",
      rubric: { accuracy: 9 },
      usage: { total_tokens: 3 },
    });
    expect(await stateOf(question.id)).toMatchObject({ state: "done" });
  });

  test("of the newest round answers, whatever order they come in", async () => {
    const { id } = newQuestion();
    await stage.repository.storeResult(resultFor(id, { round: 2, answer: "new" }));
    const held = await stage.repository.storeResult(resultFor(id, { round: 1, answer: "old" }));
    expect(held?.answer).toBe("new");
    expect(await stage.repository.findResult(id)).toMatchObject({ round: 2, answer: "new" });
  });

  test("of an older round does not end the newer one", async () => {
    const question = newQuestion();
    await stage.repository.claim(question, null);
    await stage.sql`update question set state = 'failed' where id = ${question.id}`;
    await stage.repository.claim(question, null);
    await stage.repository.storeResult(resultFor(question.id, { round: 1 }));
    expect(await stateOf(question.id)).toMatchObject({ state: "queued", round: 2 });
  });

  test("may hold U+0000 and lone surrogates: they are replaced, not refused", async () => {
    const { id } = newQuestion();
    await stage.repository.storeResult(
      resultFor(id, { answer: "a\u0000b\ud800c", judge: "j\u0000", usage: { note: "x\u0000y\udfff" } }),
    );
    expect(await stage.repository.findResult(id)).toMatchObject({
      answer: "a\ufffdb\ufffdc",
      judge: "j\ufffd",
    });
  });

  test("without a claim (a message written by hand) makes the question known", async () => {
    const { id } = newQuestion();
    await stage.repository.storeResult(resultFor(id));
    expect(await stage.repository.findStatus(id)).toMatchObject({
      state: "done",
      result: { answer: "Yes." },
    });
  });
});

describe("a failure", () => {
  test("ends its round with the reason, and never one that is done", async () => {
    const failed = newQuestion();
    await stage.repository.claim(failed, null);
    const value = { ...failed, attempts: 5, round: 1, deferrals: 0, reason: "all attempts are spent" };
    await stage.repository.failQuestion(value);
    expect(await stage.repository.findStatus(failed.id)).toMatchObject({
      state: "failed",
      reason: "all attempts are spent",
    });
    await stage.repository.claim(failed, null);
    await stage.repository.failQuestion(value);
    expect(await stateOf(failed.id)).toMatchObject({ state: "queued", round: 2 });

    const done = newQuestion();
    await stage.repository.storeResult(resultFor(done.id));
    await stage.repository.failQuestion({ ...value, ...done });
    expect(await stateOf(done.id)).toMatchObject({ state: "done" });
    expect(await stage.repository.failOpenQuestion({ id: done.id, round: 1, reason: "late" })).toBe(false);
  });

  test("that was redriven in the same round becomes a result", async () => {
    const question = newQuestion();
    await stage.repository.claim(question, null);
    await stage.repository.failOpenQuestion({ id: question.id, round: 1, reason: "died" });
    await stage.repository.storeResult(resultFor(question.id));
    expect(await stateOf(question.id)).toMatchObject({ state: "done", reason: null });
  });

  test("comes to questions that everybody has forgotten", async () => {
    const question = newQuestion();
    await stage.repository.claim(question, null);
    await stage.repository.failForgotten({ olderThanMs: 60_000, limit: 10 });
    expect(await stateOf(question.id)).toMatchObject({ state: "queued" });
    await stage.sql`update question set claimed_at = now() - interval '2 minutes' where id = ${question.id}`;
    expect(await stage.repository.failForgotten({ olderThanMs: 60_000, limit: 10 })).toBe(1);
    expect(await stateOf(question.id)).toMatchObject({ state: "failed" });
  });
});

describe("unpublished claims", () => {
  test("are handed to one caller at a time, after their grace", async () => {
    const question = newQuestion();
    await stage.repository.claim(question, null);
    await stage.sql`update question set published_at = now() where id <> ${question.id}`;
    expect(await stage.repository.takeUnpublished({ olderThanMs: 60_000, limit: 10 })).toEqual([]);
    await stage.sql`update question set publish_tried_at = now() - interval '61 s' where id = ${question.id}`;
    const taken = await Promise.all(
      [1, 2, 3, 4].map(() => stage.repository.takeUnpublished({ olderThanMs: 60_000, limit: 10 })),
    );
    expect(taken.flat()).toMatchObject([{ ...question, round: 1 }]);
    await stage.repository.markPublished({ id: question.id, round: 1 });
    expect(await stage.repository.takeUnpublished({ olderThanMs: 0, limit: 10 })).toEqual([]);
  });

  test("are, with a new embedded broker, all that an older one held, and no other", async () => {
    const [old, current, done] = [newQuestion(), newQuestion(), newQuestion()];
    await stage.repository.claim(old, "g1");
    await stage.repository.claim(current, "g2");
    await stage.repository.claim(done, "g1");
    await stage.repository.storeResult(resultFor(done.id));
    await stage.sql`update question set published_at = now() where published_at is null`;
    await stage.sql`update question set state = 'scoring' where id = ${old.id}`;
    await stage.repository.reopenOtherGenerations("g2");
    const taken = await stage.repository.takeUnpublished({ olderThanMs: 3_600_000, limit: 1_000 });
    const ids = taken.map(({ id }) => id);
    expect(ids).toContain(old.id);
    expect(ids).not.toContain(current.id);
    expect(ids).not.toContain(done.id);
  });
});

describe("steps", () => {
  test("are rows, and move the state of open questions", async () => {
    const question = newQuestion();
    await stage.repository.claim(question, null);
    const atMs = Date.now() + 1_000;
    const about = { id: question.id, round: 1, handler: "llm.requests", messageId: "m" };
    await stage.repository.writeSteps([
      { ...about, step: "generating", atMs, detail: { attempt: 1 }, state: "generating" },
      { ...about, step: "error", atMs: atMs + 1, detail: { error_type: "rate_limit", message: "\u0000" } },
      {
        ...about,
        step: "waiting",
        atMs: atMs + 2,
        detail: { delay_ms: 2_000 },
        state: "waiting",
        waiting: { reason: "rate_limit", untilMs: atMs + 2_002 },
      },
    ]);
    const status = await stage.repository.findStatus(question.id);
    expect(status).toMatchObject({
      state: "waiting",
      waiting: { reason: "rate_limit", until: new Date(atMs + 2_002).toISOString() },
    });
    const rows =
      await stage.sql`select step from question_step where question_hash = ${question.id} order by id`;
    expect(rows.map((row) => row["step"] as string)).toEqual(["generating", "error", "waiting"]);
  });

  test("seen earlier, of an older round, or after the end change no state", async () => {
    const question = newQuestion();
    await stage.repository.claim(question, null);
    const about = { id: question.id, step: "scoring", detail: {}, state: "scoring" } as const;
    await stage.repository.writeSteps([{ ...about, round: 1, atMs: Date.now() - 60_000 }]);
    await stage.repository.writeSteps([{ ...about, round: 7, atMs: Date.now() + 60_000 }]);
    expect(await stateOf(question.id)).toMatchObject({ state: "queued" });
    await stage.repository.storeResult(resultFor(question.id));
    await stage.repository.writeSteps([{ ...about, round: 1, atMs: Date.now() + 60_000 }]);
    expect(await stateOf(question.id)).toMatchObject({ state: "done" });
  });

  test("go when they are old", async () => {
    const { id } = newQuestion();
    await stage.repository.writeSteps([{ id, round: 1, step: "hit", atMs: 0, detail: {} }]);
    expect(await stage.repository.forgetSteps({ olderThanMs: 86_400_000, limit: 10 })).toBe(1);
  });
});
