"""The Flink job that takes the place of the scoring handler.

In: records of `llm.generated` and of the handler's retry topic, settings in the environment under the handlers' own names.
Out: what the handler would publish, in one exactly-once Kafka sink: `llm.validated`, `llm.requests`, `llm.errors`, dead letters.
What is done with a record is decided in `scoring/`, in plain Python; here it is only carried there and back.
Submitted with `flink run -py job.py -pyfs <this folder>`. See docs/flink.md.
"""

import os
import re
import sys
import time

from pyflink.table import DataTypes, EnvironmentSettings, Schema, TableEnvironment
from pyflink.table.model_descriptor import ModelDescriptor
from pyflink.table.udf import TableFunction, udtf

from scoring.javascript import well_formed
from scoring.scorer import Failure, Record, Scorer, Settings
from scoring.source import SOURCE
from scoring.verdict import SYSTEM_PROMPT, Ask, most_calls

HANDLER, TOPICS, RUBRIC = SOURCE["handler"], SOURCE["topics"], SOURCE["rubric"]

# What every step hands on of the record as it was read, and what `advance` makes of it.
RECORD = "`topic`, `partition`, `offset`, `stamp_ms`, `key`, `value`, `headers`"
MADE = "`next_prompt` AS `prompt`, `known` AS `replies`, `out_topic`, `out_key`, `out_value`, `out_headers`"
STEP_COLUMNS = "`next_prompt`, `known`, `out_topic`, `out_key`, `out_value`, `out_headers`"
HEADERS = DataTypes.MAP(DataTypes.STRING(), DataTypes.BYTES())
STEP = DataTypes.ROW(
    [
        # Null where a record is ready to be published, else what the judge is asked next.
        DataTypes.FIELD("prompt", DataTypes.STRING()),
        DataTypes.FIELD("replies", DataTypes.ARRAY(DataTypes.STRING())),
        DataTypes.FIELD("out_topic", DataTypes.STRING()),
        DataTypes.FIELD("out_key", DataTypes.BYTES()),
        DataTypes.FIELD("out_value", DataTypes.BYTES()),
        DataTypes.FIELD("out_headers", HEADERS),
    ]
)


class Advance(TableFunction):
    """One step of one record: exactly one row comes of it."""

    def __init__(self, settings, now_ms):
        self._settings, self._now_ms = settings, now_ms

    def open(self, function_context):
        fixed = self._now_ms
        clock = (lambda: time.time_ns() // 1_000_000) if fixed is None else (lambda: fixed)
        self._scorer = Scorer(Settings(now_ms=clock, **self._settings))

    def eval(self, topic, partition, offset, stamp_ms, key, value, headers, replies, reply, status, failure):
        record = Record(topic, key, value, list((headers or {}).items()), partition, offset, stamp_ms)
        known = list(replies or [])
        failed = None
        if failure is not None:
            failed = Failure(status, failure)
        elif reply is not None:
            known.append(reply)
        made = self._scorer.advance(record, known, failed)
        if isinstance(made, Ask):
            # Half of a surrogate pair cannot be carried to the model.
            yield well_formed(made.prompt), known, None, None, None, None
        else:
            yield None, None, made.topic, made.key, made.value, dict(made.headers)


def main():
    env = os.environ
    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    config = tables.get_config()
    config.set("pipeline.name", f"scoring ({HANDLER['name']})")
    config.set("table.local-time-zone", "UTC")
    config.set("execution.checkpointing.interval", env.get("CHECKPOINT_INTERVAL", "2 s"))
    config.set("execution.checkpointing.mode", "EXACTLY_ONCE")
    config.set("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION")
    config.set("restart-strategy.type", "exponential-delay")
    config.set("restart-strategy.exponential-delay.initial-backoff", "1 s")
    config.set("restart-strategy.exponential-delay.max-backoff", "30 s")
    base_url = env.get("LLM_BASE_URL") if env.get("JUDGE", "model") == "model" else None
    model = env.get("LLM_MODEL", "gpt-4o-mini") if base_url else None
    settings = {
        "max_attempts": int(env.get("MAX_ATTEMPTS", "5")),
        "greatest_age_ms": int(env.get("GREATEST_AGE_MS", "43200000")),
        "regen_threshold": float(env.get("REGEN_THRESHOLD", str(RUBRIC["threshold"]))),
        "model": model,
    }
    now_ms = int(env["SCORING_NOW_MS"]) if "SCORING_NOW_MS" in env else None
    advance = udtf(Advance(settings, now_ms), result_types=STEP.field_types())
    tables.create_temporary_function("advance", advance)
    create_tables(tables, env)
    finished = [first_step(tables)]
    if model is not None:
        create_model(tables, env, base_url, model)
        finished += [next_step(tables, call) for call in range(1, most_calls() + 1)]
    rows = "\nUNION ALL\n".join(
        f"SELECT `out_topic`, `out_headers`, `out_key`, `out_value` FROM {view} WHERE `prompt` IS NULL" for view in finished
    )
    insert = f"INSERT INTO outputs\n{rows}"
    if "--explain" in sys.argv:
        print(tables.explain_sql(insert))
    else:
        tables.execute_sql(insert)


def create_tables(tables, env):
    """Source and sink. Bytes go through as they are: `scoring/` alone knows what they mean."""
    kafka = f"'connector' = 'kafka', 'properties.bootstrap.servers' = {quoted(env['KAFKA_BROKERS'])}"
    # A pattern, since the retry topic is there only where the handler has run.
    inputs = "|".join(re.escape(name) for name in (TOPICS["generated"]["name"], HANDLER["retryTopic"]))
    outputs = [TOPICS[name]["name"] for name in ("validated", "requests", "errors")] + [HANDLER["deadLetterTopic"]]
    raw = "'key.format' = 'raw', 'key.fields' = 'key', 'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY'"
    tables.execute_sql(f"""
        CREATE TEMPORARY TABLE inputs (
          `topic` STRING METADATA VIRTUAL, `partition` INT METADATA VIRTUAL, `offset` BIGINT METADATA VIRTUAL,
          `stamp` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
          `headers` MAP<STRING, BYTES> METADATA VIRTUAL, `key` BYTES, `value` BYTES
        ) WITH ({kafka}, {raw}, 'topic-pattern' = {quoted(inputs)}, 'properties.group.id' = {quoted(HANDLER["group"])},
          'scan.startup.mode' = 'group-offsets', 'properties.auto.offset.reset' = 'earliest',
          'properties.isolation.level' = 'read_committed')""")
    tables.execute_sql(f"""
        CREATE TEMPORARY TABLE outputs (
          `topic` STRING METADATA, `headers` MAP<STRING, BYTES> METADATA, `key` BYTES, `value` BYTES
        ) WITH ({kafka}, {raw}, 'topic' = {quoted(";".join(outputs))},
          'sink.delivery-guarantee' = 'exactly-once', 'sink.transaction-naming-strategy' = 'pooling',
          'sink.transactional-id-prefix' = {quoted(env.get("TRANSACTIONAL_ID_PREFIX", HANDLER["group"]))},
          'properties.transaction.timeout.ms' = '900000')""")


def first_step(tables):
    tables.execute_sql(f"""
        CREATE TEMPORARY VIEW step0 AS
        SELECT {RECORD}, {MADE} FROM (
          SELECT *, UNIX_TIMESTAMP(CAST(`stamp` AS STRING), 'yyyy-MM-dd HH:mm:ss.SSS') * 1000
            + EXTRACT(MILLISECOND FROM `stamp`) AS `stamp_ms` FROM inputs),
        LATERAL TABLE(advance({RECORD}, CAST(NULL AS ARRAY<STRING>), CAST(NULL AS STRING), CAST(NULL AS INT),
          CAST(NULL AS STRING))) AS step({STEP_COLUMNS})""")
    return "step0"


def create_model(tables, env, base_url, model):
    """The judge, by Flink's own model support. Its temperature and words are rubric.json's."""
    options = {
        "endpoint": f"{base_url.rstrip('/')}/chat/completions",
        "api-key": env.get("LLM_API_KEY") or "none",
        "model": model,
        "system-prompt": SYSTEM_PROMPT,
        "temperature": str(RUBRIC["prompt"]["temperature"]),
        "max-tokens": "1024",
        "response-format": "json_object",
        # The client tries again by itself, with growing pauses; then the question goes to llm.errors and waits there.
        "error-handling-strategy": "retry",
        "retry-num": env.get("JUDGE_RETRIES", "3"),
        "retry-fallback-strategy": "ignore",
    }
    asked = Schema.new_builder().column("prompt", DataTypes.STRING()).build()
    # Beside the reply what went wrong with the call; SQL's CREATE MODEL has no words for such columns.
    replied = (
        Schema.new_builder()
        .column("reply", DataTypes.STRING())
        .column_by_metadata("error-string", DataTypes.STRING(), is_virtual=True)
        .column_by_metadata("http-status-code", DataTypes.INT(), is_virtual=True)
        .build()
    )
    descriptor = ModelDescriptor.for_provider("openai").input_schema(asked).output_schema(replied)
    for name, value in options.items():
        descriptor = descriptor.option(name, value)
    tables.create_temporary_model("judge", descriptor.build())


def next_step(tables, call):
    """Asks the judge what the step before wants to know, and takes its reply one step on."""
    before, view = f"step{call - 1}", f"step{call}"
    tables.execute_sql(f"""
        CREATE TEMPORARY VIEW asked{call} AS
        SELECT {RECORD}, `replies`, `prompt` FROM {before} WHERE `prompt` IS NOT NULL""")
    tables.execute_sql(f"""
        CREATE TEMPORARY VIEW {view} AS
        SELECT {RECORD}, {MADE} FROM (
          SELECT {RECORD}, `replies`, `reply`, `http-status-code`, `error-string`
          FROM ML_PREDICT(TABLE asked{call}, MODEL judge, DESCRIPTOR(`prompt`),
            MAP['async', 'true', 'max-concurrent-operations', '16', 'output-mode', 'ALLOW_UNORDERED', 'timeout', '300 s'])),
        LATERAL TABLE(advance({RECORD}, `replies`, `reply`, `http-status-code`, `error-string`))
          AS step({STEP_COLUMNS})""")
    return view


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


if __name__ == "__main__":
    main()
