CREATE TABLE "model_call" (
	"question_hash" text NOT NULL,
	"round" integer NOT NULL,
	"attempt" integer NOT NULL,
	"purpose" text NOT NULL,
	"model" text NOT NULL,
	"answered_by" text,
	"prompt_version" text NOT NULL,
	"calls" integer NOT NULL,
	"token" text NOT NULL,
	"calling_until" timestamp with time zone NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	"answer" text,
	"judgement" jsonb,
	"error_type" text,
	"error" text,
	"prompt_tokens" integer DEFAULT 0 NOT NULL,
	"completion_tokens" integer DEFAULT 0 NOT NULL,
	"price" double precision,
	CONSTRAINT "model_call_question_hash_round_attempt_purpose_pk" PRIMARY KEY("question_hash","round","attempt","purpose")
);
--> statement-breakpoint
ALTER TABLE "response_event" ADD COLUMN "rubric_hash" text;--> statement-breakpoint
CREATE INDEX "model_call_finished_at" ON "model_call" USING btree ("finished_at");--> statement-breakpoint
CREATE VIEW "public"."cost_per_answer" AS (
  select answered.question_hash, answered.round, answered.model, not answered.below_threshold as accepted,
         answered.score, answered.created_at, coalesce(sum(used.calls), 0)::bigint as calls,
         coalesce(sum(used.prompt_tokens), 0)::bigint as prompt_tokens,
         coalesce(sum(used.completion_tokens), 0)::bigint as completion_tokens, sum(used.price) as price
    from response_event answered
    left join model_call used on used.question_hash = answered.question_hash and used.round = answered.round
   group by answered.id);--> statement-breakpoint
CREATE VIEW "public"."cost_per_day" AS (
  select date_trunc('day', finished_at at time zone 'UTC') as day, model, purpose,
         sum(calls)::bigint as calls, count(error_type) as failed,
         sum(prompt_tokens)::bigint as prompt_tokens, sum(completion_tokens)::bigint as completion_tokens,
         sum(price) as price
    from model_call where finished_at is not null
   group by 1, 2, 3);--> statement-breakpoint
CREATE VIEW "public"."cost_per_model" AS (
  select model, purpose, sum(calls)::bigint as calls, count(error_type) as failed,
         sum(greatest(calls - 1, 0))::bigint as repeated,
         sum(prompt_tokens)::bigint as prompt_tokens, sum(completion_tokens)::bigint as completion_tokens,
         sum(price) as price
    from model_call group by 1, 2);