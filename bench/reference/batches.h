/*
 * Offsets of batches whose records are all acknowledged, in the order in which the batches were taken.
 *
 * In: messages taken, delivery reports. Out: stored offsets, which librdkafka commits. Never here: a commit of what is
 * not acknowledged.
 */
#pragma once
#include "common.h"

#define MOST_PARTITIONS 64
#define BATCH 1000

struct batch {
  struct batch *next;
  int unacknowledged;
  int64_t next_offset[MOST_PARTITIONS]; /* 0: no record of this partition */
};

struct batches {
  struct batch *first, *last, *spare;
};

static inline struct batch *begin_batch(struct batches *all) {
  struct batch *b = all->spare;
  if (b) all->spare = b->next;
  else b = malloc(sizeof *b);
  memset(b, 0, sizeof *b);
  if (all->last) all->last->next = b;
  else all->first = b;
  all->last = b;
  return b;
}

static inline void note(struct batch *b, const rd_kafka_message_t *m) {
  if (m->partition >= MOST_PARTITIONS) FAIL("more than %d partitions", MOST_PARTITIONS);
  b->next_offset[m->partition] = m->offset + 1;
  b->unacknowledged++;
}

/* The delivery report of one record. */
static inline void acknowledged(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
  (void)rk, (void)opaque;
  if (m->err) FAIL("not delivered: %s", rd_kafka_err2str(m->err));
  ((struct batch *)m->_private)->unacknowledged--;
}

static inline void store_finished(struct batches *all, rd_kafka_t *consumer, const char *topic) {
  rd_kafka_topic_partition_list_t *offsets = NULL;
  int64_t next_offset[MOST_PARTITIONS] = {0};
  while (all->first && all->first->unacknowledged == 0) {
    struct batch *b = all->first;
    for (int p = 0; p < MOST_PARTITIONS; p++) if (b->next_offset[p]) next_offset[p] = b->next_offset[p];
    all->first = b->next;
    if (!all->first) all->last = NULL;
    b->next = all->spare;
    all->spare = b;
    if (!offsets) offsets = rd_kafka_topic_partition_list_new(MOST_PARTITIONS);
  }
  if (!offsets) return;
  for (int p = 0; p < MOST_PARTITIONS; p++)
    if (next_offset[p]) rd_kafka_topic_partition_list_add(offsets, topic, p)->offset = next_offset[p];
  rd_kafka_resp_err_t err = rd_kafka_offsets_store(consumer, offsets);
  if (err) FAIL("store offsets: %s", rd_kafka_err2str(err));
  rd_kafka_topic_partition_list_destroy(offsets);
}
