/*
 * Latency from end to end, open loop: messages are sent when they are due, whatever became of those before, and their latency
 * counts from when they were due.
 *
 *   probe BROKERS FROM TO RATE MESSAGES WARM BYTES PROPERTIES
 *
 * In: a chain that leads from FROM to TO. It is ready once a first message came through. Out: one line of JSON with p50 and p99
 * in ms of the MESSAGES after the first WARM, and how many did not come, or came again.
 */
#include <pthread.h>
#include "common.h"

#define READY_MS 60000
#define LATE_MS 10000

static long total, received, repeated;
static double *due_ms, *came_ms;

static double *array(long count) { return calloc((size_t)count, sizeof(double)); }

static void *receive(void *argument) {
  rd_kafka_queue_t *queue = argument;
  for (;;) {
    rd_kafka_message_t *m = rd_kafka_consume_queue(queue, 1000);
    double now = now_ms();
    if (!m) continue;
    if (m->err) FAIL("consume: %s", rd_kafka_message_errstr(m));
    char key[16] = {0};
    memcpy(key, m->key, m->key_len < 15 ? m->key_len : 15);
    long n = atol(key);
    if (n < 0 || n >= total) FAIL("message %ld was never sent", n);
    if (came_ms[n] != 0) repeated++;
    else came_ms[n] = now, __atomic_add_fetch(&received, 1, __ATOMIC_SEQ_CST);
    rd_kafka_message_destroy(m);
  }
}

/* Reads TO from its end on, with offsets that are known before anything is sent. */
static rd_kafka_queue_t *listen_to(const char *brokers, const char *topic) {
  rd_kafka_conf_t *conf = conf_of("group.id=probe\nenable.auto.commit=false\nfetch.wait.max.ms=100", brokers);
  rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, conf);
  rd_kafka_topic_t *handle = rd_kafka_topic_new(consumer, topic, NULL);
  const struct rd_kafka_metadata *metadata;
  rd_kafka_resp_err_t err = rd_kafka_metadata(consumer, 0, handle, &metadata, 10000);
  if (err) FAIL("metadata: %s", rd_kafka_err2str(err));
  int partitions = metadata->topics[0].partition_cnt;
  rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(partitions);
  for (int p = 0; p < partitions; p++) {
    int64_t low, high;
    // A topic that was just made may have no leader yet.
    for (int tries = 0; tries < 100; tries++) {
      err = rd_kafka_query_watermark_offsets(consumer, topic, p, &low, &high, 10000);
      if (!err) break;
      usleep(100000);
    }
    if (err) FAIL("watermarks: %s", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_add(all, topic, p)->offset = high;
  }
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_assign(consumer, all);
  return rd_kafka_queue_get_consumer(consumer);
}

static void send_message(rd_kafka_t *producer, rd_kafka_topic_t *to, long n, long bytes) {
  static char value[1 << 16];
  char key[24], id[32];
  snprintf(key, sizeof key, "%08ld", n);
  snprintf(id, sizeof id, "m-%08ld", n);
  int head = snprintf(value, sizeof value, "{\"id\":\"%s\",\"n\":%ld,\"text\":\"", id, n);
  memset(value + head, 'x', (size_t)(bytes - head - 2));
  memcpy(value + bytes - 2, "\"}", 2);
  rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
  rd_kafka_header_add(headers, "ce_id", -1, id, -1);
  rd_kafka_resp_err_t err = rd_kafka_producev(
      producer, RD_KAFKA_V_RKT(to), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, 8),
      RD_KAFKA_V_VALUE(value, (size_t)bytes), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
  if (err) FAIL("produce: %s", rd_kafka_err2str(err));
  rd_kafka_poll(producer, 0);
}

static void sleep_until(double ms) {
  struct timespec t = {(time_t)(ms / 1e3), (long)(ms * 1e6) % 1000000000L};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL)) {}
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  end_with_parent();
  if (argc != 9) FAIL("usage: see probe.c");
  double every_ms = 1e3 / atof(argv[4]);
  long messages = atol(argv[5]), warm = atol(argv[6]), bytes = atol(argv[7]);
  total = 1 + warm + messages;
  due_ms = array(total), came_ms = array(total);
  rd_kafka_queue_t *queue = listen_to(argv[1], argv[3]);
  pthread_t receiver;
  pthread_create(&receiver, NULL, receive, queue);

  rd_kafka_conf_t *conf = conf_of(argv[8], argv[1]);
  set(conf, "linger.ms", "0");
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, conf);
  rd_kafka_topic_t *to = rd_kafka_topic_new(producer, argv[2], NULL);
  double start = now_ms();
  send_message(producer, to, 0, bytes);
  while (!__atomic_load_n(&received, __ATOMIC_SEQ_CST)) {
    if (now_ms() - start > READY_MS) FAIL("the chain was not ready within %d ms", READY_MS);
    rd_kafka_poll(producer, 10);
  }
  start = now_ms() + every_ms;
  for (long n = 1; n < total; n++) {
    due_ms[n] = start + (double)n * every_ms;
    sleep_until(due_ms[n]);
    send_message(producer, to, n, bytes);
  }
  double end = now_ms();
  while (__atomic_load_n(&received, __ATOMIC_SEQ_CST) < total && now_ms() - end < LATE_MS) rd_kafka_poll(producer, 10);

  double *latency = array(messages);
  long known = 0;
  for (long n = 1 + warm; n < total; n++)
    if (came_ms[n] != 0) latency[known++] = came_ms[n] - due_ms[n];
  qsort(latency, (size_t)known, sizeof *latency, ascending);
  printf("{\"p50Ms\":%.3f,\"p99Ms\":%.3f,\"missing\":%ld,\"repeated\":%ld}\n", known ? latency[known / 2] : 0,
         known ? latency[(long)((double)known * 0.99)] : 0, total - received, repeated);
  fflush(stdout);
  _exit(0);
}
