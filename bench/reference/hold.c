/*
 * Memory of messages that wait.
 *
 *   hold BROKERS GROUP FROM MESSAGES CONSUMER_PROPERTIES
 *
 * In: a topic. Out: the line `ready` once partitions are assigned, then it takes MESSAGES messages and keeps them; after that it
 * takes nothing more, and the rest waits where librdkafka keeps it. Runs until it is killed.
 */
#include "common.h"

int main(int argc, char **argv) {
  end_with_parent();
  if (argc != 6) FAIL("usage: see hold.c");
  long messages = atol(argv[4]);
  rd_kafka_t *consumer = subscribed(conf_of(argv[5], argv[1]), argv[2], argv[3]);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
  rd_kafka_topic_partition_list_t *assigned;
  int count = 0;
  rd_kafka_message_t **kept = malloc((size_t)(messages + 1) * sizeof *kept);
  long held = 0;
  while (!count) {
    held += take(queue, kept + held, (size_t)(messages - held), 20);
    if (rd_kafka_assignment(consumer, &assigned)) FAIL("assignment");
    count = assigned->cnt;
    rd_kafka_topic_partition_list_destroy(assigned);
  }
  puts("ready");
  fflush(stdout);
  while (held < messages) {
    ssize_t more = take(queue, kept + held, (size_t)(messages - held), 100);
    for (ssize_t i = 0; i < more; i++)
      if (kept[held + i]->err) FAIL("consume: %s", rd_kafka_message_errstr(kept[held + i]));
    held += more;
  }
  puts("holding");
  fflush(stdout);
  for (;;) pause();
}
