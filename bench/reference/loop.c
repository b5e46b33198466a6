/*
 * The reference: consume → produce, as one writes it in C over librdkafka.
 *
 *   loop BROKERS GROUP FROM TO MESSAGES WARM PASS CONSUMER_PROPERTIES PRODUCER_PROPERTIES
 *
 * In: a topic with MESSAGES records. Out: the same key and value on TO, the line `first` with the first record, and at the end one
 * line of JSON with the CPU and wall time of what comes after the first WARM ones, up to the end of flush, commit and leave. PASS `headers` reads each header and
 * builds the list anew; `bytes` knows no headers. An offset is stored after the delivery report and committed by librdkafka.
 */
#include "batches.h"

static void produce(rd_kafka_t *producer, rd_kafka_topic_t *to, const rd_kafka_message_t *m, int headers, struct batch *b) {
  for (;;) {
    rd_kafka_resp_err_t err = 0;
    if (!headers) {
      if (rd_kafka_produce(to, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, m->payload, m->len, m->key, m->key_len, b) == -1)
        err = rd_kafka_last_error();
    } else {
      rd_kafka_headers_t *read, *built = NULL;
      if (!rd_kafka_message_headers(m, &read)) {
        const char *name;
        const void *value;
        size_t bytes;
        built = rd_kafka_headers_new(rd_kafka_header_cnt(read));
        for (size_t i = 0; !rd_kafka_header_get_all(read, i, &name, &value, &bytes); i++)
          rd_kafka_header_add(built, name, -1, value, (ssize_t)bytes);
      }
      err = rd_kafka_producev(producer, RD_KAFKA_V_RKT(to), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_KEY(m->key, m->key_len), RD_KAFKA_V_VALUE(m->payload, m->len),
                              RD_KAFKA_V_HEADERS(built), RD_KAFKA_V_OPAQUE(b), RD_KAFKA_V_END);
      if (err && built) rd_kafka_headers_destroy(built);
    }
    if (!err) return;
    if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL) FAIL("produce: %s", rd_kafka_err2str(err));
    rd_kafka_poll(producer, 10);
  }
}

int main(int argc, char **argv) {
  end_with_parent();
  if (argc != 10) FAIL("usage: see loop.c");
  const char *brokers = argv[1], *group = argv[2], *from = argv[3];
  long messages = atol(argv[5]), warm = atol(argv[6]), seen = 0;
  int headers = strcmp(argv[7], "headers") == 0;

  rd_kafka_conf_t *conf = conf_of(argv[9], brokers);
  rd_kafka_conf_set_dr_msg_cb(conf, acknowledged);
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, conf);
  rd_kafka_topic_t *to = rd_kafka_topic_new(producer, argv[4], NULL);
  rd_kafka_t *consumer = subscribed(conf_of(argv[8], brokers), group, from);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);

  struct batches all = {0};
  rd_kafka_message_t *taken[BATCH];
  double cpu = cpu_us(), wall = now_ms();
  while (seen < messages) {
    ssize_t count = take(queue, taken, BATCH, 100);
    struct batch *b = count > 0 ? begin_batch(&all) : NULL;
    for (ssize_t i = 0; i < count; i++) {
      if (taken[i]->err) FAIL("consume: %s", rd_kafka_message_errstr(taken[i]));
      if (seen == 0) puts("first"), fflush(stdout);
      if (++seen == warm) cpu = cpu_us(), wall = now_ms();
      note(b, taken[i]);
      produce(producer, to, taken[i], headers, b);
      rd_kafka_message_destroy(taken[i]);
    }
    rd_kafka_poll(producer, 0);
    store_finished(&all, consumer, from);
  }
  if (rd_kafka_flush(producer, 30000)) FAIL("not flushed");
  store_finished(&all, consumer, from);
  if (all.first) FAIL("acknowledgements are missing");
  rd_kafka_consumer_close(consumer);
  printf("{\"messages\":%ld,\"cpuUs\":%.0f,\"wallMs\":%.1f}\n", messages - warm, cpu_us() - cpu, now_ms() - wall);
  fflush(stdout);
  _exit(0);
}
