/**
 * The thread in which librdkafka's transaction calls may wait: one per transactional producer.
 *
 * In: a call with the producer's native address, one at a time. Out: nothing where it succeeded, else what librdkafka said.
 * Never here: the producer's life (its owner destroys it only when no call is under way), its records, its queues.
 */
import { messageOf } from "../ground/errors.ts";
import { withGroupMetadata } from "./group-metadata.ts";
import { withList } from "./partitions.ts";
import { type Address, type Library, openLibrary, text } from "./symbols.ts";
import type { TransactionCall, TransactionReply, TransactionRefusal } from "./transaction-thread.ts";

declare function addEventListener(
  type: "message",
  listener: (event: { readonly data: TransactionCall }) => void,
): void;
declare function postMessage(reply: TransactionReply): void;

addEventListener("message", ({ data }) => postMessage(answer(data)));

function answer(call: TransactionCall): TransactionReply {
  try {
    const library = openLibrary(call.library);
    const refusal = refusalOf(library, make(library, call));
    return { id: call.id, ...(refusal ? { refusal } : {}) };
  } catch (error) {
    return { id: call.id, defect: messageOf(error) };
  }
}

function make(library: Library, call: TransactionCall): Address | null {
  const { native } = library;
  const { client, timeoutMs } = call;
  switch (call.kind) {
    case "init":
      return native.rd_kafka_init_transactions(client, timeoutMs);
    case "begin":
      return native.rd_kafka_begin_transaction(client);
    case "commit":
      return native.rd_kafka_commit_transaction(client, timeoutMs);
    case "abort":
      return native.rd_kafka_abort_transaction(client, timeoutMs);
    case "sendOffsets":
      return withGroupMetadata(library, call.group, (group) =>
        withList(library, call.offsets, (offsets) =>
          native.rd_kafka_send_offsets_to_transaction(client, offsets, group, timeoutMs),
        ),
      );
  }
}

function refusalOf(library: Library, error: Address | null): TransactionRefusal | undefined {
  if (!error) return undefined;
  const { native } = library;
  const refusal = {
    err: native.rd_kafka_error_code(error),
    message: text(native.rd_kafka_error_string(error)),
    fatal: native.rd_kafka_error_is_fatal(error) === 1,
    retriable: native.rd_kafka_error_is_retriable(error) === 1,
    abortable: native.rd_kafka_error_txn_requires_abort(error) === 1,
  };
  native.rd_kafka_error_destroy(error);
  return refusal;
}
