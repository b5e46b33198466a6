-- One message in somebody's own transaction. Every parameter is text, as drivers differ in how they write anything else.
SELECT {schema}.send_later(
  $1::text, $2::text, $3::text, $4::text, decode($5::text, 'hex'), decode($6::text, 'hex'), ($7::text)::bytea[], ($8::text)::bytea[],
  $9::text, ($10::text)::integer, to_timestamp(($11::text)::float8 / 1000), ($12::text)::float8 * interval '1 millisecond'
) AS added
