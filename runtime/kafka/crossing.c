/*
 * Batches across the border between librdkafka and JavaScript: one call and one copy a batch.
 *
 * In: a queue, an event, or a table of records that JavaScript wrote. Out: a table and bytes that JavaScript reads.
 * Compiled at start by the C compiler inside Bun, so: own declarations, no headers, no libc but memcpy, other functions
 * through a table of addresses. That compiler does not optimise: what runs per record is written out flat. The layouts are those of layout.ts; plain.ts does the same without C.
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
  i32 partition, topic_start, err, headers_bytes;
  i32 key_start, key_bytes, value_start, value_bytes, headers_start, header_count;
};

/* One record to write; OUTGOING in layout.ts. Addresses are doubles, sizes of -1 are null. */
struct record_write {
  double topic, key, value, headers;
  i32 key_bytes, value_bytes, header_count, unused;
};

/* One header to write; HEADER in layout.ts. */
struct header_write {
  double name, value;
  i32 name_bytes, value_bytes;
};

/* What became of the records of one crossing, and of one record; ANSWERS and ANSWER in layout.ts. */
struct answer {
  double offset;
  i32 partition, err, status, index;
};
struct answers {
  double id;
  i32 unanswered, failed;
  struct answer of[1];
};

static struct {
  i64 (*consume_batch_queue)(void *, i32, struct message **, u64);
  void (*message_destroy)(struct message *);
  i64 (*message_timestamp)(const struct message *, i32 *);
  i32 (*message_headers)(const struct message *, void **);
  i32 (*header_get_all)(const void *, u64, const char **, const void **, u64 *);
  const char *(*topic_name)(const void *);
  i32 (*produce)(void *, i32, i32, void *, u64, const void *, u64, void *);
  i32 (*last_error)(void);
  void *(*produceva)(void *, struct union_value *, u64);
  void *(*headers_new)(u64);
  i32 (*header_add)(void *, const char *, i64, const void *, i64);
  void (*headers_destroy)(void *);
  i32 (*error_code)(const void *);
  void (*error_destroy)(void *);
  u64 (*event_message_array)(void *, struct message **, u64);
  i32 (*message_status)(const struct message *);
  u64 (*text_length)(const char *);
} kafka;

void cauce_setup(const void *functions) { memcpy(&kafka, functions, sizeof kafka); }

/* Takes at most `most` messages off the queue, never waiting. */
i64 cauce_fetch(void *queue, struct message **messages, u64 most) {
  return kafka.consume_batch_queue(queue, 0, messages, most);
}

/* The names and values of a message's headers from `end` on. Answers where they end, or what it would take, below 0. */
static i64 copy_headers(const struct message *m, struct record_read *r, char *buffer, i64 end, i64 capacity) {
  void *headers = 0;
  u64 h;
  r->headers_start = (i32)end;
  r->header_count = 0;
  r->headers_bytes = 0;
  if (m->err || kafka.message_headers(m, &headers) || !headers) return end;
  for (h = 0;; h++) {
    const char *name;
    const void *value;
    u64 value_bytes, name_bytes;
    i32 lengths[2];
    if (kafka.header_get_all(headers, h, &name, &value, &value_bytes)) break;
    name_bytes = kafka.text_length(name);
    if (!value) value_bytes = 0;
    if (end + 8 + (i64)(name_bytes + value_bytes) > capacity) return -(end + 8 + (i64)(name_bytes + value_bytes));
    lengths[0] = (i32)name_bytes;
    lengths[1] = value ? (i32)value_bytes : -1;
    memcpy(buffer + end, lengths, 8);
    memcpy(buffer + end + 8, name, name_bytes);
    end += 8 + (i64)name_bytes;
    if (value_bytes) memcpy(buffer + end, value, value_bytes);
    end += (i64)value_bytes;
  }
  r->header_count = (i32)h;
  r->headers_bytes = (i32)end - r->headers_start;
  return end;
}

/*
 * Copies messages into `buffer` and gives them back, as many as it has room for; answers how many. The buffer holds a table
 * for `count` records, then topic names (where they change), keys, values and headers, each named by its start. Where not even
 * one fits, nothing is given back, and `*needed` says what that one takes at least. `buffer` 0 only gives all back.
 */
i64 cauce_copy(struct message **messages, i64 count, char *buffer, i64 capacity, double *needed) {
  i64 end = count * (i64)sizeof(struct record_read), at;
  struct record_read *r = (struct record_read *)buffer;
  void *last_topic = 0;
  i32 topic_start = -1;
  *needed = 0;
  for (at = 0; buffer && at < count; at++, r++) {
    const struct message *m = messages[at];
    i64 key_bytes = m->key ? (i64)m->key_bytes : 0, value_bytes = m->payload ? (i64)m->payload_bytes : 0, after;
    i32 kind = 0;
    i64 stamp;
    if (m->topic && m->topic != last_topic) {
      const char *name = kafka.topic_name(m->topic);
      i64 name_bytes = (i64)kafka.text_length(name);
      i32 short_bytes = (i32)name_bytes;
      if (end + 4 + name_bytes > capacity) {
        *needed = (double)(end + 4 + name_bytes);
        break;
      }
      topic_start = (i32)end;
      memcpy(buffer + end, &short_bytes, 4);
      memcpy(buffer + end + 4, name, (u64)name_bytes);
      end += 4 + name_bytes;
      last_topic = m->topic;
    }
    if (end + key_bytes + value_bytes > capacity) {
      *needed = (double)(end + key_bytes + value_bytes);
      break;
    }
    stamp = m->err ? -1 : kafka.message_timestamp(m, &kind);
    r->offset = (double)m->offset;
    r->timestamp_ms = kind ? (double)stamp : -1;
    r->partition = m->partition;
    r->topic_start = m->topic ? topic_start : -1;
    r->err = m->err;
    after = end;
    r->key_start = m->key ? (i32)after : -1;
    r->key_bytes = (i32)key_bytes;
    if (key_bytes) memcpy(buffer + after, m->key, (u64)key_bytes);
    after += key_bytes;
    r->value_start = m->payload ? (i32)after : -1;
    r->value_bytes = (i32)value_bytes;
    if (value_bytes) memcpy(buffer + after, m->payload, (u64)value_bytes);
    after = copy_headers(m, r, buffer, after + value_bytes, capacity);
    if (after < 0) {
      *needed = (double)-after;
      break;
    }
    end = after;
    /* At once, and not the whole batch at its end: what reading its headers has allocated serves the next one. */
    kafka.message_destroy(messages[at]);
  }
  if (buffer) return at;
  for (at = 0; at < count; at++) kafka.message_destroy(messages[at]);
  return count;
}

static void *at_address(double address) { return (void *)(u64)address; }

/* The list of headers to write; librdkafka takes it over with the record. */
static void *headers_to_write(const struct record_write *w) {
  i32 count = w->header_count, h;
  void *headers = kafka.headers_new((u64)(count < 0 ? -count : count));
  if (count < 0) {
    const char *block = at_address(w->headers);
    i64 from = 0;
    for (h = 0; h < -count; h++) {
      i32 lengths[2];
      const char *name = block + from + 8;
      memcpy(lengths, block + from, 8);
      kafka.header_add(headers, name, lengths[0], lengths[1] < 0 ? 0 : name + lengths[0], lengths[1] < 0 ? 0 : lengths[1]);
      from += 8 + lengths[0] + (lengths[1] < 0 ? 0 : lengths[1]);
    }
  } else {
    const struct header_write *header = at_address(w->headers);
    for (h = 0; h < count; h++, header++)
      kafka.header_add(headers, at_address(header->name), header->name_bytes,
                       header->value_bytes < 0 ? 0 : at_address(header->value), header->value_bytes < 0 ? 0 : header->value_bytes);
  }
  return headers;
}

static i32 produce_with_headers(void *client, const struct record_write *w, void *opaque) {
  struct union_value v[6];
  i32 used = 0, err;
  void *headers = headers_to_write(w), *error;
  v[used].tag = 2; /* topic handle */
  v[used++].as.pointer = at_address(w->topic);
  v[used].tag = 7; /* message flags */
  v[used++].as.number = 2; /* copy */
  v[used].tag = 6; /* opaque */
  v[used++].as.pointer = opaque;
  if (w->value_bytes >= 0) {
    v[used].tag = 4;
    v[used].as.memory.start = at_address(w->value);
    v[used++].as.memory.bytes = (u64)w->value_bytes;
  }
  if (w->key_bytes >= 0) {
    v[used].tag = 5;
    v[used].as.memory.start = at_address(w->key);
    v[used++].as.memory.bytes = (u64)w->key_bytes;
  }
  v[used].tag = 10;
  v[used++].as.pointer = headers;
  error = kafka.produceva(client, v, (u64)used);
  if (!error) return 0;
  err = kafka.error_code(error);
  kafka.error_destroy(error);
  kafka.headers_destroy(headers); /* taken only on success */
  return err;
}

static i32 produce_bare(const struct record_write *w, void *opaque) {
  void *value = w->value_bytes < 0 ? 0 : at_address(w->value), *key = w->key_bytes < 0 ? 0 : at_address(w->key);
  i32 copy = 2, any_partition = -1;
  if (kafka.produce(at_address(w->topic), any_partition, copy, value, value ? (u64)w->value_bytes : 0, key,
                    key ? (u64)w->key_bytes : 0, opaque) == 0)
    return 0;
  return kafka.last_error();
}

/*
 * Hands `count` records to the producer in order and stops at the first that it refuses: `*err` then says why. Answers how
 * many were taken. What becomes of each is written into `answers` by cauce_deliveries: that memory stays until then.
 */
i64 cauce_produce(void *client, const struct record_write *records, i64 count, struct answers *answers, i32 *err) {
  i64 at;
  *err = 0;
  for (at = 0; at < count; at++) {
    struct answer *answer = answers->of + at;
    answer->index = (i32)at;
    *err = records[at].header_count ? produce_with_headers(client, records + at, answer) : produce_bare(records + at, answer);
    if (*err) break;
  }
  /* Reports are read by the thread that called us: none has come yet. */
  answers->unanswered = (i32)at;
  return at;
}

/*
 * Writes the delivery reports of an event where their records' opaques say. Answers how many crossings are complete now, and
 * their ids in `complete`; `messages` and `complete` have room for `most`.
 */
i64 cauce_deliveries(void *event, struct message **messages, u64 most, double *complete) {
  i64 count = (i64)kafka.event_message_array(event, messages, most), at, completed = 0;
  for (at = 0; at < count; at++) {
    const struct message *m = messages[at];
    struct answer *answer = m->opaque;
    struct answers *answers;
    if (!answer) continue;
    answers = (struct answers *)((char *)(answer - answer->index) - 16);
    answer->offset = (double)m->offset;
    answer->partition = m->partition;
    answer->err = m->err;
    if (m->err) {
      answer->status = kafka.message_status(m);
      answers->failed++;
    }
    if (--answers->unanswered == 0) complete[completed++] = answers->id;
  }
  return completed;
}
