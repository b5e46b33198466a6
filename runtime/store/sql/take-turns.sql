-- Turns of one budget for those of this process who want one.
SELECT place, granted, wait_ms, ticket::text AS ticket
  FROM {schema}.take_turns($1, $2, $3, $4::float8, $5::float8, $6::integer, $7::integer, $8::float8, $9::float8, $10::text::boolean,
         $11::float8, $12::float8, $13::bigint[], $14::float8[])
