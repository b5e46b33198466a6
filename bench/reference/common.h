/*
 * What the C programs of the benchmarks share: properties, clocks, CPU time, the end of a program.
 *
 * In: argv. Out: nothing of its own. Every program ends with one line of JSON on its output, or with a complaint and 1.
 * Never here: what is measured.
 */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include "rdkafka.h"

#define FAIL(...) do { fprintf(stderr, __VA_ARGS__); fputc('\n', stderr); exit(1); } while (0)

/* A program must not outlive the benchmark that started it. */
static inline void end_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

static inline double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* User and system time of all threads of this process, in µs. */
static inline double cpu_us(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static inline void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char complaint[512];
  if (rd_kafka_conf_set(conf, name, value, complaint, sizeof complaint) != RD_KAFKA_CONF_OK) FAIL("%s", complaint);
}

/* Properties from a text of lines `name=value`: those of the binding, so that both sides run with the same. */
static inline rd_kafka_conf_t *conf_of(const char *properties, const char *brokers) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  char *copy = strdup(properties), *rest = copy, *line;
  while ((line = strsep(&rest, "\n"))) {
    char *equals = strchr(line, '=');
    if (!equals) continue;
    *equals = 0;
    set(conf, line, equals + 1);
  }
  free(copy);
  set(conf, "bootstrap.servers", brokers);
  return conf;
}

static inline rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
  char complaint[512];
  rd_kafka_t *rk = rd_kafka_new(type, conf, complaint, sizeof complaint);
  if (!rk) FAIL("%s", complaint);
  return rk;
}

/* A member of a group that reads one topic; its queue carries records. */
static inline rd_kafka_t *subscribed(rd_kafka_conf_t *conf, const char *group, const char *topic) {
  rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
  set(conf, "group.id", group);
  rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, conf);
  rd_kafka_poll_set_consumer(rk);
  rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
  rd_kafka_resp_err_t err = rd_kafka_subscribe(rk, topics);
  if (err) FAIL("subscribe: %s", rd_kafka_err2str(err));
  rd_kafka_topic_partition_list_destroy(topics);
  return rk;
}

/* Up to `most` messages: what is there, else waits for the first, at most `wait_ms`. */
static inline ssize_t take(rd_kafka_queue_t *queue, rd_kafka_message_t **messages, size_t most, int wait_ms) {
  ssize_t count = rd_kafka_consume_batch_queue(queue, 0, messages, most);
  if (count != 0) return count;
  messages[0] = rd_kafka_consume_queue(queue, wait_ms);
  if (!messages[0]) return 0;
  count = rd_kafka_consume_batch_queue(queue, 0, messages + 1, most - 1);
  return 1 + (count > 0 ? count : 0);
}
