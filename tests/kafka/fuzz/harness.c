/*
 * Random messages, tables and reports through crossing.c, with librdkafka's functions replaced by ones that check.
 *
 *   harness SEED SECONDS
 *
 * Every piece of memory is allocated to the byte, so that the address sanitizer sees any step beside it. Out: one line with the
 * seed and how many rounds went well; anything wrong ends the process. Compiled beside crossing.c, whose layouts are repeated
 * here on purpose: a change of one alone is found.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(holds) do { if (!(holds)) { fprintf(stderr, "seed %llu, line %d: %s\n", seed, __LINE__, #holds); abort(); } } while (0)
#define MOST 64
#define MOST_HEADERS 6

typedef long long i64;
typedef unsigned long long u64;

struct message { int err; void *topic; int partition; void *payload; u64 payload_bytes; void *key; u64 key_bytes; i64 offset; void *opaque; };
struct record_read { double offset, timestamp_ms; int partition, topic_start, err, headers_bytes, key_start, key_bytes, value_start, value_bytes, headers_start, header_count; };
struct record_write { double topic, key, value, headers; int key_bytes, value_bytes, header_count, unused; };
struct header_write { double name, value; int name_bytes, value_bytes; };
struct answer { double offset; int partition, err, status, index; };
struct answers { double id; int unanswered, failed; struct answer of[]; };
struct union_value { int tag; union { void *pointer; int number; struct { const void *start; u64 bytes; } memory; char room[64]; } as; };

void cauce_setup(const void *functions);
i64 cauce_fetch(void *queue, struct message **messages, u64 most);
i64 cauce_copy(struct message **messages, i64 count, char *buffer, i64 capacity, double *needed);
i64 cauce_produce(void *client, const struct record_write *records, i64 count, struct answers *answers, int *err);
i64 cauce_deliveries(void *event, struct message **messages, u64 most, double *complete);

static u64 seed, state;

static u64 next(void) {
  state ^= state << 13; state ^= state >> 7; state ^= state << 17;
  return state;
}
static int below(int n) { return (int)(next() % (u64)n); }

/* A header list as this harness keeps it; names end in NUL, as librdkafka's do. */
struct header { char *name; char *value; u64 bytes; };
struct headers { int count; struct header of[MOST_HEADERS]; };
struct sent { struct message m; struct headers headers; int has_headers, destroyed; };

static struct sent sent[MOST];
static int sent_count, living_lists, refuse_at, produced_count;

static char *bytes_of(int length) {
  char *bytes = malloc((size_t)length);
  for (int i = 0; i < length; i++) bytes[i] = (char)next();
  return bytes;
}
static char *name_of(int length) {
  char *name = malloc((size_t)length + 1);
  for (int i = 0; i < length; i++) name[i] = (char)(1 + below(255));
  name[length] = 0;
  return name;
}

static i64 fake_consume(void *queue, int timeout, struct message **messages, u64 most) {
  (void)queue;
  CHECK(timeout == 0);
  int count = sent_count < (int)most ? sent_count : (int)most;
  for (int i = 0; i < count; i++) messages[i] = &sent[i].m;
  return count;
}
static void fake_destroy(struct message *m) {
  struct sent *s = (struct sent *)m;
  CHECK(!s->destroyed);
  s->destroyed = 1;
  free(m->key);
  free(m->payload);
  for (int h = 0; h < s->headers.count; h++) { free(s->headers.of[h].name); free(s->headers.of[h].value); }
}
static i64 fake_timestamp(const struct message *m, int *kind) { *kind = m->partition % 3; return m->offset * 2; }
static int fake_message_headers(const struct message *m, void **headers) {
  struct sent *s = (struct sent *)m;
  if (!s->has_headers) return -1;
  *headers = &s->headers;
  return 0;
}
static int fake_get_all(const void *list, u64 at, const char **name, const void **value, u64 *bytes) {
  const struct headers *headers = list;
  if ((int)at >= headers->count) return -1;
  *name = headers->of[at].name;
  *value = headers->of[at].value;
  *bytes = headers->of[at].bytes;
  return 0;
}
static const char *fake_topic_name(const void *topic) { return topic; }

/* What is to be produced, kept to be compared. */
static struct { char *key, *value; int key_bytes, value_bytes; struct headers headers; } planned[MOST];
static char topic_handle;

static int same(const void *start, u64 bytes, const char *planned_bytes, int planned_count) {
  if (planned_count < 0) return start == NULL;
  return start != NULL && bytes == (u64)planned_count && memcmp(start, planned_bytes, bytes) == 0;
}
static int fake_produce(void *topic, int partition, int flags, void *value, u64 value_bytes, const void *key, u64 key_bytes, void *opaque) {
  int at = produced_count;
  CHECK(topic == &topic_handle && partition == -1 && flags == 2 && opaque);
  CHECK(planned[at].headers.count == 0);
  CHECK(same(value, value_bytes, planned[at].value, planned[at].value_bytes));
  CHECK(same(key, key_bytes, planned[at].key, planned[at].key_bytes));
  if (at == refuse_at) return -1;
  produced_count++;
  return 0;
}
static int fake_last_error(void) { return -184; }
static void *fake_headers_new(u64 count) { (void)count; living_lists++; return calloc(1, sizeof(struct headers)); }
static int fake_header_add(void *list, const char *name, i64 name_bytes, const void *value, i64 value_bytes) {
  struct headers *headers = list;
  CHECK(headers->count < MOST_HEADERS && name_bytes >= 0);
  struct header *h = &headers->of[headers->count++];
  h->name = calloc(1, (size_t)name_bytes + 1);
  memcpy(h->name, name, (size_t)name_bytes);
  h->value = value ? malloc((size_t)value_bytes) : NULL;
  if (value) memcpy(h->value, value, (size_t)value_bytes);
  h->bytes = value ? (u64)value_bytes : 0;
  return 0;
}
static void fake_headers_destroy(void *list) {
  struct headers *headers = list;
  for (int h = 0; h < headers->count; h++) { free(headers->of[h].name); free(headers->of[h].value); }
  free(headers);
  living_lists--;
}
static void *fake_produceva(void *client, struct union_value *v, u64 count) {
  const void *key = NULL, *value = NULL;
  u64 key_bytes = 0, value_bytes = 0;
  struct headers *headers = NULL;
  int at = produced_count;
  (void)client;
  for (u64 i = 0; i < count; i++) switch (v[i].tag) {
    case 2: CHECK(v[i].as.pointer == &topic_handle); break;
    case 4: value = v[i].as.memory.start; value_bytes = v[i].as.memory.bytes; break;
    case 5: key = v[i].as.memory.start; key_bytes = v[i].as.memory.bytes; break;
    case 6: CHECK(v[i].as.pointer); break;
    case 7: CHECK(v[i].as.number == 2); break;
    case 10: headers = v[i].as.pointer; break;
    default: CHECK(0);
  }
  CHECK(headers && headers->count == planned[at].headers.count);
  for (int h = 0; h < headers->count; h++) {
    struct header *is = &headers->of[h], *be = &planned[at].headers.of[h];
    CHECK(strcmp(is->name, be->name) == 0 && is->bytes == be->bytes && !is->value == !be->value);
    if (is->value) CHECK(memcmp(is->value, be->value, is->bytes) == 0);
  }
  CHECK(same(value, value_bytes, planned[at].value, planned[at].value_bytes));
  CHECK(same(key, key_bytes, planned[at].key, planned[at].key_bytes));
  if (at == refuse_at) return &topic_handle;
  fake_headers_destroy(headers);
  produced_count++;
  return NULL;
}
static int fake_error_code(const void *error) { CHECK(error == &topic_handle); return -184; }
static void fake_error_destroy(void *error) { CHECK(error == &topic_handle); }

static struct message reports[MOST];
static int report_count;
static u64 fake_message_array(void *event, struct message **messages, u64 most) {
  (void)event;
  CHECK((u64)report_count <= most);
  for (int i = 0; i < report_count; i++) messages[i] = &reports[i];
  return (u64)report_count;
}
static int fake_status(const struct message *m) { return m->partition % 3; }

static void setup(void) {
  void *functions[] = {
    fake_consume, fake_destroy, fake_timestamp, fake_message_headers, fake_get_all, (void *)fake_topic_name,
    fake_produce, fake_last_error, fake_produceva, fake_headers_new, fake_header_add, fake_headers_destroy,
    fake_error_code, fake_error_destroy, fake_message_array, fake_status, strlen,
  };
  cauce_setup(functions);
}

static void random_headers(struct headers *headers) {
  headers->count = below(MOST_HEADERS);
  for (int h = 0; h < headers->count; h++) {
    int bytes = below(4) ? below(40) : 0;
    headers->of[h].name = name_of(below(30));
    headers->of[h].value = below(5) ? bytes_of(bytes) : NULL;
    headers->of[h].bytes = headers->of[h].value ? (u64)bytes : (u64)below(3) * 1000; /* a null's size says nothing */
  }
}

static int in(int start, int bytes, i64 capacity) { return start >= 0 && bytes >= 0 && (i64)start + bytes <= capacity; }

static void check_headers(const char *buffer, const struct record_read *r, const struct headers *headers) {
  int at = r->headers_start;
  CHECK(r->header_count == headers->count);
  for (int h = 0; h < r->header_count; h++) {
    int lengths[2];
    memcpy(lengths, buffer + at, 8);
    const struct header *be = &headers->of[h];
    CHECK(lengths[0] == (int)strlen(be->name) && memcmp(buffer + at + 8, be->name, (size_t)lengths[0]) == 0);
    CHECK(be->value ? lengths[1] == (int)be->bytes : lengths[1] == -1);
    if (be->value) CHECK(memcmp(buffer + at + 8 + lengths[0], be->value, be->bytes) == 0);
    at += 8 + lengths[0] + (lengths[1] < 0 ? 0 : lengths[1]);
  }
  CHECK(at - r->headers_start == r->headers_bytes);
}

/* One batch, into buffers that are mostly too small: every message is copied right and given back once. */
static void fetching(void) {
  static char *topics[] = {"t", "a-longer-topic.name", ""};
  struct message *messages[MOST];
  sent_count = 1 + below(MOST);
  for (int i = 0; i < sent_count; i++) {
    struct sent *s = &sent[i];
    int key_bytes = below(3) ? below(50) : 0, value_bytes = below(3) ? below(600) : 0;
    memset(s, 0, sizeof *s);
    s->m.topic = below(8) ? topics[below(3)] : NULL;
    s->m.err = below(10) ? 0 : -191;
    s->m.partition = below(100);
    s->m.offset = (i64)(next() >> 12);
    s->m.key = below(4) ? bytes_of(key_bytes) : NULL;
    s->m.key_bytes = s->m.key ? (u64)key_bytes : (u64)below(3); /* a null's size says nothing */
    s->m.payload = below(6) ? bytes_of(value_bytes) : NULL;
    s->m.payload_bytes = s->m.payload ? (u64)value_bytes : (u64)below(3);
    s->has_headers = !s->m.err && below(3) > 0;
    if (s->has_headers) random_headers(&s->headers);
  }
  i64 count = cauce_fetch(NULL, messages, MOST);
  CHECK(count == sent_count);
  i64 capacity = 0;
  for (i64 from = 0; from < count;) {
    double needed = -1;
    i64 left = count - from;
    i64 least = left * (i64)sizeof(struct record_read);
    if (capacity < least) capacity = least + below(2000);
    char *buffer = malloc((size_t)capacity);
    struct sent before[MOST];
    memcpy(before, sent, sizeof before);
    for (i64 i = from; i < count; i++) CHECK(!sent[i].destroyed);
    i64 copied = cauce_copy(messages + from, left, buffer, capacity, &needed);
    CHECK(copied >= 0 && copied <= left);
    for (i64 i = 0; i < left; i++) CHECK(sent[from + i].destroyed == (i < copied));
    const struct record_read *r = (struct record_read *)buffer;
    for (i64 i = 0; i < copied; i++, r++) {
      const struct message *m = &before[from + i].m;
      CHECK(r->offset == (double)m->offset && r->partition == m->partition && r->err == m->err);
      CHECK(m->topic ? in(r->topic_start, 4, capacity) : r->topic_start == -1);
      if (m->topic) {
        int length;
        memcpy(&length, buffer + r->topic_start, 4);
        CHECK(in(r->topic_start + 4, length, capacity) && length == (int)strlen(m->topic));
        CHECK(memcmp(buffer + r->topic_start + 4, m->topic, (size_t)length) == 0);
      }
      CHECK(m->key ? in(r->key_start, r->key_bytes, capacity) && r->key_bytes == (int)m->key_bytes : r->key_start == -1 && r->key_bytes == 0);
      CHECK(m->payload ? in(r->value_start, r->value_bytes, capacity) && r->value_bytes == (int)m->payload_bytes : r->value_start == -1 && r->value_bytes == 0);
      CHECK(in(r->headers_start, r->headers_bytes, capacity));
      CHECK(r->header_count == (before[from + i].has_headers ? before[from + i].headers.count : 0));
    }
    free(buffer);
    if (copied == 0) {
      CHECK(needed > (double)capacity);
      capacity = (i64)needed;
    }
    from += copied;
    if (below(20) == 0 && from < count) {
      CHECK(cauce_copy(messages + from, count - from, NULL, 0, &needed) == count - from);
      break;
    }
  }
  for (int i = 0; i < sent_count; i++) CHECK(sent[i].destroyed);
}

/* The same without giving messages back in between: contents byte for byte, in a buffer with just enough room or more. */
static void contents(void) {
  struct message *one[1];
  double needed;
  char *key = bytes_of(below(40)), *value = bytes_of(300);
  struct sent *s = &sent[0];
  struct headers expected;
  memset(s, 0, sizeof *s);
  s->m = (struct message){.topic = "topic", .partition = 2, .offset = 7, .payload = value, .payload_bytes = 300, .key = key, .key_bytes = (u64)0};
  s->has_headers = 1;
  random_headers(&s->headers);
  expected.count = s->headers.count;
  for (int h = 0; h < expected.count; h++) {
    struct header *from = &s->headers.of[h];
    expected.of[h] = (struct header){.name = strdup(from->name), .value = from->value ? malloc(from->bytes) : NULL, .bytes = from->bytes};
    if (from->value) memcpy(expected.of[h].value, from->value, from->bytes);
  }
  char copy[300];
  memcpy(copy, value, 300);
  one[0] = &s->m;
  i64 capacity = (i64)sizeof(struct record_read);
  char *buffer = malloc((size_t)capacity);
  while (cauce_copy(one, 1, buffer, capacity, &needed) == 0) {
    CHECK(needed > (double)capacity);
    capacity = (i64)needed;
    free(buffer);
    buffer = malloc((size_t)capacity);
  }
  const struct record_read *r = (struct record_read *)buffer;
  CHECK(r->value_bytes == 300 && memcmp(buffer + r->value_start, copy, 300) == 0);
  check_headers(buffer, r, &expected);
  for (int h = 0; h < expected.count; h++) { free(expected.of[h].name); free(expected.of[h].value); }
  free(buffer);
}

/* A table of records, some with lists of headers, some with blocks as a fetch makes them; refused somewhere or nowhere. */
static void producing(void) {
  int count = 1 + below(MOST), err = -1;
  struct record_write *table = calloc((size_t)count, sizeof *table);
  struct header_write *lists[MOST] = {0};
  char *blocks[MOST] = {0};
  struct answers *answers = malloc(sizeof *answers + (size_t)count * sizeof(struct answer));
  answers->id = 42;
  for (int i = 0; i < count; i++) {
    struct record_write *w = &table[i];
    planned[i].key_bytes = below(4) ? below(40) : -1;
    planned[i].value_bytes = below(4) ? below(400) : -1;
    planned[i].key = bytes_of(planned[i].key_bytes < 0 ? 0 : planned[i].key_bytes);
    planned[i].value = bytes_of(planned[i].value_bytes < 0 ? 0 : planned[i].value_bytes);
    planned[i].headers.count = 0;
    if (below(2)) random_headers(&planned[i].headers);
    for (int h = 0; h < planned[i].headers.count; h++) if (!planned[i].headers.of[h].value) planned[i].headers.of[h].bytes = 0;
    w->topic = (double)(uintptr_t)&topic_handle;
    w->key = (double)(uintptr_t)planned[i].key;
    w->value = (double)(uintptr_t)planned[i].value;
    w->key_bytes = planned[i].key_bytes;
    w->value_bytes = planned[i].value_bytes;
    int headers = planned[i].headers.count;
    if (headers && below(2)) {
      size_t bytes = 0;
      for (int h = 0; h < headers; h++) bytes += 8 + strlen(planned[i].headers.of[h].name) + planned[i].headers.of[h].bytes;
      char *at = blocks[i] = malloc(bytes);
      for (int h = 0; h < headers; h++) {
        struct header *from = &planned[i].headers.of[h];
        int lengths[2] = {(int)strlen(from->name), from->value ? (int)from->bytes : -1};
        memcpy(at, lengths, 8);
        memcpy(at + 8, from->name, (size_t)lengths[0]);
        if (from->value) memcpy(at + 8 + lengths[0], from->value, from->bytes);
        at += 8 + lengths[0] + (int)from->bytes;
      }
      w->headers = (double)(uintptr_t)blocks[i];
      w->header_count = -headers;
    } else if (headers) {
      lists[i] = malloc((size_t)headers * sizeof(struct header_write));
      for (int h = 0; h < headers; h++) {
        struct header *from = &planned[i].headers.of[h];
        lists[i][h] = (struct header_write){(double)(uintptr_t)from->name, (double)(uintptr_t)from->value, (int)strlen(from->name), from->value ? (int)from->bytes : -1};
      }
      w->headers = (double)(uintptr_t)lists[i];
      w->header_count = headers;
    }
  }
  refuse_at = below(2) ? below(count) : -1;
  produced_count = 0;
  i64 taken = cauce_produce(&topic_handle, table, count, answers, &err);
  CHECK(taken == (refuse_at < 0 ? count : refuse_at) && taken == produced_count);
  CHECK(err == (refuse_at < 0 ? 0 : -184));
  CHECK(answers->unanswered == taken && living_lists == 0);

  /* Reports in any order, in several events, some of records that are not ours. */
  answers->failed = 0;
  int order[MOST], failed = 0;
  for (int i = 0; i < taken; i++) order[i] = i;
  for (int i = (int)taken - 1; i > 0; i--) { int j = below(i + 1), t = order[i]; order[i] = order[j]; order[j] = t; }
  for (int from = 0; from < taken;) {
    struct message *room[MOST];
    double complete[MOST];
    report_count = 0;
    int piece = 1 + below((int)taken - from);
    if (piece > MOST - 1) piece = MOST - 1;
    if (below(3) == 0) reports[report_count++] = (struct message){0};
    for (int i = 0; i < piece; i++) {
      int at = order[from + i], error = below(5) ? 0 : -192;
      failed += error != 0;
      reports[report_count++] = (struct message){.err = error, .partition = at % 7, .offset = at + 100, .opaque = &answers->of[at]};
    }
    from += piece;
    i64 completed = cauce_deliveries(NULL, room, MOST, complete);
    CHECK(completed == (from == taken));
    if (completed) CHECK(complete[0] == 42);
  }
  CHECK(answers->failed == failed && (taken == 0 || answers->unanswered == 0));
  for (int i = 0; i < taken; i++) CHECK(answers->of[i].offset == i + 100 && answers->of[i].partition == i % 7 && answers->of[i].index == i);
  for (int i = 0; i < count; i++) {
    free(planned[i].key); free(planned[i].value); free(lists[i]); free(blocks[i]);
    for (int h = 0; h < planned[i].headers.count; h++) { free(planned[i].headers.of[h].name); free(planned[i].headers.of[h].value); }
  }
  free(table);
  free(answers);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  seed = strtoull(argv[1], NULL, 10);
  state = seed * 0x9e3779b97f4a7c15ULL + 1;
  double seconds = atof(argv[2]);
  clock_t until = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);
  long rounds = 0;
  setup();
  do {
    fetching();
    contents();
    producing();
    rounds++;
  } while (clock() < until);
  printf("{\"seed\":%llu,\"rounds\":%ld}\n", seed, rounds);
  return 0;
}
