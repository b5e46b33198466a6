/*
 * Fills a topic with numbered messages.
 *
 *   fill BROKERS TOPIC MESSAGES BYTES HEADERS KEYS PROPERTIES
 *
 * In: an empty topic. Out: MESSAGES records with values of BYTES bytes, `{"id":"m-00000007","n":7,"text":"x…"}`, and HEADERS
 * headers (0, 4 or 7: those that Cauce writes). Message n has the key n % KEYS in 8 digits; KEYS 0 gives each its own.
 */
#include "common.h"

static long failed;

static void acknowledged(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
  (void)rk, (void)opaque;
  if (m->err) failed++;
}

static void add(rd_kafka_headers_t *headers, const char *name, const char *value) {
  rd_kafka_header_add(headers, name, -1, value, -1);
}

int main(int argc, char **argv) {
  end_with_parent();
  if (argc != 8) FAIL("usage: see fill.c");
  const char *topic = argv[2];
  long messages = atol(argv[3]), bytes = atol(argv[4]), header_count = atol(argv[5]), keys = atol(argv[6]);
  rd_kafka_conf_t *conf = conf_of(argv[7], argv[1]);
  set(conf, "linger.ms", "20");
  set(conf, "queue.buffering.max.messages", "200000");
  rd_kafka_conf_set_dr_msg_cb(conf, acknowledged);
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, conf);
  rd_kafka_topic_t *to = rd_kafka_topic_new(producer, topic, NULL);
  char *value = malloc((size_t)bytes + 1), key[32], id[32];

  for (long n = 0; n < messages; n++) {
    snprintf(key, sizeof key, "%08ld", keys ? n % keys : n);
    snprintf(id, sizeof id, "m-%08ld", n);
    int head = snprintf(value, (size_t)bytes, "{\"id\":\"%s\",\"n\":%ld,\"text\":\"", id, n);
    memset(value + head, 'x', (size_t)(bytes - head - 2));
    memcpy(value + bytes - 2, "\"}", 2);
    rd_kafka_headers_t *headers = NULL;
    if (header_count) {
      headers = rd_kafka_headers_new((size_t)header_count);
      if (header_count > 4) add(headers, "ce_specversion", "1.0");
      add(headers, "ce_id", id);
      if (header_count > 4) add(headers, "ce_source", "/bench/fill");
      add(headers, "ce_type", topic);
      add(headers, "ce_time", "2026-01-02T03:04:05.678Z");
      if (header_count > 4) add(headers, "content-type", "application/json");
      add(headers, "traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01");
    }
    for (;;) {
      rd_kafka_resp_err_t err = rd_kafka_producev(
          producer, RD_KAFKA_V_RKT(to), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, 8),
          RD_KAFKA_V_VALUE(value, (size_t)bytes), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
      if (!err) break;
      if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL) FAIL("produce: %s", rd_kafka_err2str(err));
      rd_kafka_poll(producer, 100);
    }
    if (n % 1000 == 0) rd_kafka_poll(producer, 0);
  }
  if (rd_kafka_flush(producer, 120000) || failed) FAIL("%ld messages were not delivered", failed);
  printf("{\"messages\":%ld}\n", messages);
  fflush(stdout);
  _exit(0);
}
