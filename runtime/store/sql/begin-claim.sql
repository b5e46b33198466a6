-- Opens the claim's transaction and pins its plan to the index: with stale statistics the planner prefers a bitmap
-- and a sort of everything that is due, 3-4k rows/s against 44-103k in index order at 10M waiting rows.
-- A claimer that stalls loses its session, and with it its rows, after the idle limit.
BEGIN;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_sort = off;
SET LOCAL jit = off;
SET LOCAL idle_in_transaction_session_timeout = {idle_in_transaction_ms};
-- What it deletes was published, not cancelled: triggers look at this.
SET LOCAL cauce.writer = 'runtime';
SET LOCAL statement_timeout = {statement_timeout_ms};
-- By this clock rows are late.
SELECT date_part('epoch', clock_timestamp()) AS now_s;
