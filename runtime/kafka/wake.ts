/**
 * The wake-up: librdkafka writes a byte when a queue stops being empty, and the event loop calls us.
 *
 * In: queues to watch. Out: one call per wake-up, on JavaScript's own thread. No callback crosses from a native thread
 * and no timer polls. Never here: what is on the queues.
 */
import type { Socket } from "bun";
import { CauceError } from "../ground/errors.ts";
import { type Address, type Library, scratch } from "./symbols.ts";

export class Wake {
  readonly #library: Library;
  readonly #writeEnd: number;
  readonly #socket: Socket;
  readonly #byte = scratch(1);

  /** @throws CauceError `library_unusable` where the system gives no socket pair. */
  static async open(library: Library, onWake: () => void): Promise<Wake> {
    const ends = scratch(8);
    if (library.libc.socketpair(UNIX, STREAM_NONBLOCK_CLOEXEC, 0, ends.address) !== 0) {
      throw new CauceError(
        "library_unusable",
        "no socket pair for wake-ups: are all file descriptors in use?",
      );
    }
    const readEnd = ends.view.getInt32(0, true);
    // Bun accepts a file descriptor here; its types list the option and forget it in the overloads.
    const options: Bun.FdSocketOptions = { fd: readEnd, socket: { data: onWake } };
    const socket = await Bun.connect(options as unknown as Bun.UnixSocketOptions);
    return new Wake(library, ends.view.getInt32(4, true), socket);
  }

  private constructor(library: Library, writeEnd: number, socket: Socket) {
    this.#library = library;
    this.#writeEnd = writeEnd;
    this.#socket = socket;
    this.#byte.bytes[0] = 1;
  }

  /**
   * Watches a queue. One byte is written when something arrives on it and it was read empty before, so a reader
   * always drains until nothing is left.
   */
  watch(queue: Address): void {
    this.#library.native.rd_kafka_queue_io_event_enable(queue, this.#writeEnd, this.#byte.address, 1);
  }

  /** Only after the client was destroyed: its threads write to the other end until then. */
  close(): void {
    this.#socket.terminate();
    this.#library.libc.close(this.#writeEnd);
  }
}

const UNIX = 1;
/** SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC on Linux. */
const STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
