"""The scoring handler in Python: what the Flink job does with one record, and nothing of Flink.

In: bytes of a record of `llm.generated`. Out: bytes of the records that follow from it, as handlers/llm.generated.ts makes them.
Every word, weight and limit comes from `scoring.json`, which `deploy/flink/source.ts` writes from the handlers' own modules.
Plain Python 3.9 without packages, so that `bun run test` can hold it against the handler. Never here: a cluster, a network.
"""
