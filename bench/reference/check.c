/*
 * The judge of a run: are the messages that came out those that went in?
 *
 *   check BROKERS TOPIC MESSAGES BYTES ADDED EVERY
 *
 * In: a topic on which each of the messages 0 to MESSAGES - 1 of fill.c should lie once, its `n` increased by ADDED. Out: one
 * line of JSON: how many offsets hold no record (control records of transactions, and what was aborted), how many are missing, are there again, or say something else than they should (number or size), how often a
 * key's messages lie out of order, and the `ce_id` of every EVERY-th message (EVERY 0: none). Reads what is committed only.
 */
#include "common.h"

#define MOST_KEYS 10000000
#define TEXT_BYTES 40

static long number_in(const rd_kafka_message_t *m, const char *name) {
  char head[96];
  size_t bytes = m->len < sizeof head - 1 ? m->len : sizeof head - 1;
  memcpy(head, m->payload, bytes);
  head[bytes] = 0;
  char *at = strstr(head, name);
  return at ? atol(at + strlen(name)) : -1;
}

int main(int argc, char **argv) {
  end_with_parent();
  if (argc != 7) FAIL("usage: see check.c");
  const char *topic = argv[2];
  long messages = atol(argv[3]), bytes = atol(argv[4]), added = atol(argv[5]), every = atol(argv[6]);
  long repeated = 0, wrong = 0, missing = 0, reordered = 0, samples = 0;
  unsigned char *seen = calloc((size_t)messages, 1);
  int *last = calloc(MOST_KEYS, sizeof *last); /* by key: the highest number so far, plus one */

  rd_kafka_conf_t *conf = conf_of("enable.partition.eof=true\nenable.auto.commit=false\nfetch.queue.backoff.ms=10", argv[1]);
  set(conf, "group.id", "check");
  rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, conf);
  rd_kafka_poll_set_consumer(consumer);
  const struct rd_kafka_metadata *metadata;
  rd_kafka_topic_t *handle = rd_kafka_topic_new(consumer, topic, NULL);
  rd_kafka_resp_err_t err = rd_kafka_metadata(consumer, 0, handle, &metadata, 10000);
  if (err) FAIL("metadata: %s", rd_kafka_err2str(err));
  int partitions = metadata->topics[0].partition_cnt, ended = 0;
  rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(partitions);
  int64_t low, high, offsets = 0, records = 0;
  for (int p = 0; p < partitions; p++) {
    err = rd_kafka_query_watermark_offsets(consumer, topic, p, &low, &high, 10000);
    if (err) FAIL("watermarks: %s", rd_kafka_err2str(err));
    offsets += high - low;
  }
  for (int p = 0; p < partitions; p++) rd_kafka_topic_partition_list_add(all, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(consumer, all);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
  rd_kafka_message_t *taken[1000];

  printf("{\"samples\":[");
  while (ended < partitions) {
    ssize_t count = take(queue, taken, 1000, 1000);
    for (ssize_t i = 0; i < count; i++) {
      const rd_kafka_message_t *m = taken[i];
      if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) ended++;
      else if (m->err) FAIL("consume: %s", rd_kafka_message_errstr(m));
      else {
        records++;
        long n = number_in(m, "\"id\":\"m-");
        if (n < 0 || n >= messages || number_in(m, "\"n\":") != n + added || labs((long)m->len - bytes) > 1) wrong++;
        else {
          char key[16] = {0};
          if (seen[n]) repeated++;
          seen[n] = 1;
          memcpy(key, m->key, m->key_len < 15 ? m->key_len : 15);
          int k = atoi(key) % MOST_KEYS;
          if (last[k] > n + 1) reordered++;
          last[k] = (int)n + 1;
          rd_kafka_headers_t *headers;
          const void *text;
          size_t length;
          if (every && n % every == 0 && !rd_kafka_message_headers(m, &headers) &&
              !rd_kafka_header_get_last(headers, "ce_id", &text, &length))
            printf("%s{\"n\":%ld,\"id\":\"%.*s\"}", samples++ ? "," : "", n, length < TEXT_BYTES ? (int)length : TEXT_BYTES, (const char *)text);
        }
      }
      rd_kafka_message_destroy(taken[i]);
    }
  }
  for (long n = 0; n < messages; n++) missing += !seen[n];
  printf("],\"missing\":%ld,\"repeated\":%ld,\"wrong\":%ld,\"reordered\":%ld,\"control\":%ld}\n", missing, repeated, wrong, reordered,
         (long)(offsets - records));
  fflush(stdout);
  _exit(0);
}
