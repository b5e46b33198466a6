/*
 * Four hops in one process, a thread each: what a chain of handlers is without a runtime.
 *
 *   chain BROKERS GROUP TOPICS CONSUMER_PROPERTIES PRODUCER_PROPERTIES
 *
 * In: TOPICS, joined by commas: hop n reads the n-th and writes the next, key, value and headers as they are. Out: nothing; it
 * runs until it is killed. Offsets are stored after the delivery report.
 */
#include <pthread.h>
#include "batches.h"

static char **arguments;

struct hop {
  int number;
  const char *from, *to;
};

static void *run(void *argument) {
  struct hop *hop = argument;
  char group[128];
  snprintf(group, sizeof group, "%s-%d", arguments[2], hop->number);
  rd_kafka_conf_t *conf = conf_of(arguments[5], arguments[1]);
  rd_kafka_conf_set_dr_msg_cb(conf, acknowledged);
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, conf);
  rd_kafka_topic_t *to = rd_kafka_topic_new(producer, hop->to, NULL);
  rd_kafka_t *consumer = subscribed(conf_of(arguments[4], arguments[1]), group, hop->from);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
  struct batches all = {0};
  rd_kafka_message_t *taken[BATCH];
  for (;;) {
    ssize_t count = take(queue, taken, BATCH, 100);
    struct batch *b = count > 0 ? begin_batch(&all) : NULL;
    for (ssize_t i = 0; i < count; i++) {
      if (taken[i]->err) FAIL("consume: %s", rd_kafka_message_errstr(taken[i]));
      note(b, taken[i]);
      rd_kafka_headers_t *read, *headers = NULL;
      if (!rd_kafka_message_headers(taken[i], &read)) headers = rd_kafka_headers_copy(read);
      rd_kafka_resp_err_t err = rd_kafka_producev(
          producer, RD_KAFKA_V_RKT(to), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
          RD_KAFKA_V_KEY(taken[i]->key, taken[i]->key_len), RD_KAFKA_V_VALUE(taken[i]->payload, taken[i]->len),
          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(b), RD_KAFKA_V_END);
      if (err) FAIL("produce: %s", rd_kafka_err2str(err));
      rd_kafka_message_destroy(taken[i]);
    }
    rd_kafka_poll(producer, 0);
    store_finished(&all, consumer, hop->from);
  }
}

int main(int argc, char **argv) {
  end_with_parent();
  if (argc != 6) FAIL("usage: see chain.c");
  arguments = argv;
  char *topics = argv[3], *from = strsep(&topics, ","), *to;
  pthread_t thread = 0;
  for (int number = 1; (to = strsep(&topics, ",")); from = to, number++) {
    struct hop *hop = malloc(sizeof *hop);
    *hop = (struct hop){number, from, to};
    pthread_create(&thread, NULL, run, hop);
  }
  pthread_join(thread, NULL);
}
