/*
 * Batches across the border between librdkafka and JavaScript: one call and one copy a batch.
 *
 * In: a queue, an event, or a table of records that JavaScript wrote. Out: a table and bytes that JavaScript reads.
 * Compiled at start by the C compiler inside Bun, so: own declarations, no headers, no libc but memcpy, functions of
 * librdkafka through a table of addresses. The layouts are those of layout.ts; plain.ts does the same without C.
 */
typedef signed int i32;
typedef signed long long i64;
typedef unsigned long long u64;
void *memcpy(void *to, const void *from, unsigned long bytes);

/* rd_kafka_message_t; its size and offsets are asserted when the library is opened. */
struct message {
  i32 err;
  void *topic;
  i32 partition;
  void *payload;
  u64 payload_bytes;
  void *key;
  u64 key_bytes;
  i64 offset;
  void *opaque;
};

/* rd_kafka_vu_t */
struct union_value {
  i32 tag;
  union {
    void *pointer;
    i32 number;
    struct { const void *start; u64 bytes; } memory;
    char room[64];
  } as;
};

/* One record read; RECORD in layout.ts. A start of -1 is null. */
struct record_read {
  double offset, timestamp_ms;
  i32 partition, topic_start, err, unused;
  i32 key_start, key_bytes, value_start, value_bytes, headers_start, header_count;
};

/* One record to write; OUTGOING in layout.ts. */
struct record_write {
  u64 topic;
  i32 key_start, key_bytes, value_start, value_bytes, headers_start, header_count;
};

/* What became of one record; DELIVERY in layout.ts. */
struct delivery {
  double opaque, offset;
  i32 partition, err, status, unused;
};

static struct {
  i64 (*consume_batch_queue)(void *, i32, struct message **, u64);
  void (*message_destroy)(struct message *);
  i64 (*message_timestamp)(const struct message *, i32 *);
  i32 (*message_headers)(const struct message *, void **);
  u64 (*header_cnt)(const void *);
  i32 (*header_get_all)(const void *, u64, const char **, const void **, u64 *);
  const char *(*topic_name)(const void *);
  void *(*produceva)(void *, struct union_value *, u64);
  void *(*headers_new)(u64);
  i32 (*header_add)(void *, const char *, i64, const void *, i64);
  void (*headers_destroy)(void *);
  i32 (*error_code)(const void *);
  void (*error_destroy)(void *);
  u64 (*event_message_array)(void *, struct message **, u64);
  i32 (*message_status)(const struct message *);
} kafka;

void cauce_setup(const void *functions) { memcpy(&kafka, functions, sizeof kafka); }

static u64 length(const char *text) {
  u64 n = 0;
  while (text[n]) n++;
  return n;
}

static u64 headers_of(const struct message *m, void **headers) {
  *headers = 0;
  if (m->err || kafka.message_headers(m, headers)) return 0;
  return *headers ? kafka.header_cnt(*headers) : 0;
}

/* Takes at most `most` messages off the queue, never waiting, and says how many bytes their copy needs. */
i64 cauce_fetch(void *queue, struct message **messages, u64 most, double *bytes_needed) {
  i64 count = kafka.consume_batch_queue(queue, 0, messages, most);
  u64 bytes = 0;
  void *last_topic = 0;
  i64 at;
  for (at = 0; at < count; at++) {
    const struct message *m = messages[at];
    void *headers;
    u64 header_count = headers_of(m, &headers);
    bytes += sizeof(struct record_read) + m->key_bytes + m->payload_bytes;
    for (u64 h = 0; h < header_count; h++) {
      const char *name;
      const void *value;
      u64 value_bytes;
      if (kafka.header_get_all(headers, h, &name, &value, &value_bytes)) break;
      bytes += 8 + length(name) + value_bytes;
    }
    if (m->topic && m->topic != last_topic) bytes += 4 + length(kafka.topic_name(m->topic));
    last_topic = m->topic;
  }
  *bytes_needed = (double)bytes;
  return count;
}

static i64 put(char *buffer, i64 at, const void *from, u64 bytes) {
  if (bytes) memcpy(buffer + at, from, bytes);
  return at + (i64)bytes;
}

static i64 put_number(char *buffer, i64 at, i32 number) { return put(buffer, at, &number, 4); }

/*
 * Copies what cauce_fetch took into `buffer`, gives the messages back, and answers the bytes used. The buffer holds a
 * table of records, then topic names (where they change), keys, values and headers, each named by its start.
 * `buffer` 0 only gives the messages back.
 */
i64 cauce_copy(struct message **messages, i64 count, char *buffer) {
  i64 end = count * (i64)sizeof(struct record_read), at;
  void *last_topic = 0;
  i32 topic_start = -1;
  for (at = 0; buffer && at < count; at++) {
    const struct message *m = messages[at];
    struct record_read *r = (struct record_read *)buffer + at;
    void *headers;
    i32 kind = 0;
    u64 h, header_count = headers_of(m, &headers);
    i64 stamp = m->err ? -1 : kafka.message_timestamp(m, &kind);
    if (m->topic && m->topic != last_topic) {
      const char *name = kafka.topic_name(m->topic);
      u64 name_bytes = length(name);
      topic_start = (i32)end;
      end = put_number(buffer, end, (i32)name_bytes);
      end = put(buffer, end, name, name_bytes);
      last_topic = m->topic;
    }
    r->offset = (double)m->offset;
    r->timestamp_ms = kind ? (double)stamp : -1;
    r->partition = m->partition;
    r->topic_start = m->topic ? topic_start : -1;
    r->err = m->err;
    r->unused = 0;
    r->key_start = m->key ? (i32)end : -1;
    r->key_bytes = m->key ? (i32)m->key_bytes : 0;
    if (m->key) end = put(buffer, end, m->key, m->key_bytes);
    r->value_start = m->payload ? (i32)end : -1;
    r->value_bytes = m->payload ? (i32)m->payload_bytes : 0;
    if (m->payload) end = put(buffer, end, m->payload, m->payload_bytes);
    r->headers_start = (i32)end;
    r->header_count = 0;
    for (h = 0; h < header_count; h++) {
      const char *name;
      const void *value;
      u64 value_bytes, name_bytes;
      if (kafka.header_get_all(headers, h, &name, &value, &value_bytes)) break;
      name_bytes = length(name);
      end = put_number(buffer, end, (i32)name_bytes);
      end = put_number(buffer, end, value ? (i32)value_bytes : -1);
      end = put(buffer, end, name, name_bytes);
      if (value) end = put(buffer, end, value, value_bytes);
      r->header_count++;
    }
  }
  for (at = 0; at < count; at++) kafka.message_destroy(messages[at]);
  return end;
}

static i32 number_at(const char *buffer, i64 at) {
  i32 number;
  memcpy(&number, buffer + at, 4);
  return number;
}

/*
 * Hands `count` records to the producer in order and stops at the first that it refuses: `*err` then says why.
 * Answers how many were taken. The record at `n` carries the opaque number `first + n`.
 */
i64 cauce_produce(void *client, const char *buffer, i64 count, double first, i32 *err) {
  i64 at;
  *err = 0;
  for (at = 0; at < count; at++) {
    const struct record_write *w = (const struct record_write *)buffer + at;
    struct union_value v[6];
    i32 used = 0, h;
    void *headers = 0, *error;
    v[used].tag = 2; /* topic handle */
    v[used++].as.pointer = (void *)w->topic;
    v[used].tag = 7; /* message flags */
    v[used++].as.number = 2; /* copy */
    v[used].tag = 6; /* opaque */
    v[used++].as.pointer = (void *)(u64)(first + (double)at);
    if (w->value_start >= 0) {
      v[used].tag = 4;
      v[used].as.memory.start = buffer + w->value_start;
      v[used++].as.memory.bytes = (u64)w->value_bytes;
    }
    if (w->key_start >= 0) {
      v[used].tag = 5;
      v[used].as.memory.start = buffer + w->key_start;
      v[used++].as.memory.bytes = (u64)w->key_bytes;
    }
    if (w->header_count) {
      i64 from = w->headers_start;
      headers = kafka.headers_new((u64)w->header_count);
      for (h = 0; h < w->header_count; h++) {
        i32 name_bytes = number_at(buffer, from), value_bytes = number_at(buffer, from + 4);
        const char *name = buffer + from + 8;
        kafka.header_add(headers, name, name_bytes, value_bytes < 0 ? 0 : name + name_bytes, value_bytes < 0 ? 0 : value_bytes);
        from += 8 + name_bytes + (value_bytes < 0 ? 0 : value_bytes);
      }
      v[used].tag = 10;
      v[used++].as.pointer = headers;
    }
    error = kafka.produceva(client, v, (u64)used);
    if (error) {
      *err = kafka.error_code(error);
      kafka.error_destroy(error);
      if (headers) kafka.headers_destroy(headers); /* taken only on success */
      return at;
    }
  }
  return count;
}

/* Copies the delivery reports of an event; `messages` has room for `most` of them. */
i64 cauce_deliveries(void *event, struct message **messages, u64 most, struct delivery *out) {
  i64 count = (i64)kafka.event_message_array(event, messages, most), at;
  for (at = 0; at < count; at++) {
    const struct message *m = messages[at];
    out[at].opaque = (double)(u64)m->opaque;
    out[at].offset = (double)m->offset;
    out[at].partition = m->partition;
    out[at].err = m->err;
    out[at].status = kafka.message_status(m);
    out[at].unused = 0;
  }
  return count;
}
