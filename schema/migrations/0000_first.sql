CREATE TABLE "question" (
	"id" text PRIMARY KEY NOT NULL,
	"title" text NOT NULL,
	"content" text NOT NULL,
	"best_answer" text NOT NULL,
	"round" integer DEFAULT 1 NOT NULL,
	"state" text DEFAULT 'queued' NOT NULL,
	"state_at" timestamp with time zone DEFAULT now() NOT NULL,
	"waiting_reason" text,
	"waiting_until" timestamp with time zone,
	"reason" text,
	"claimed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"published_at" timestamp with time zone,
	"publish_tried_at" timestamp with time zone DEFAULT now() NOT NULL,
	"broker_generation" text,
	"ended_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "question_step" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"question_hash" text NOT NULL,
	"round" integer NOT NULL,
	"step" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"handler" text,
	"message_id" text,
	"detail" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "reference_answer" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "reference_answer_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"question_hash" text NOT NULL,
	"best_answer" text NOT NULL,
	"best_answer_md5" text GENERATED ALWAYS AS (md5(best_answer)) STORED NOT NULL,
	"asked_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "response_event" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"question_hash" text NOT NULL,
	"round" integer NOT NULL,
	"title" text NOT NULL,
	"content" text NOT NULL,
	"best_answer" text NOT NULL,
	"answer" text NOT NULL,
	"score" double precision NOT NULL,
	"rubric" jsonb NOT NULL,
	"below_threshold" boolean NOT NULL,
	"model" text NOT NULL,
	"judge" text NOT NULL,
	"usage" jsonb,
	"attempts" integer NOT NULL,
	"deferrals" integer NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "question_unpublished" ON "question" USING btree ("publish_tried_at") WHERE published_at is null and state = 'queued';--> statement-breakpoint
CREATE INDEX "question_open" ON "question" USING btree ("claimed_at") WHERE state not in ('done', 'failed', 'cancelled');--> statement-breakpoint
CREATE INDEX "question_step_question_hash" ON "question_step" USING btree ("question_hash","id");--> statement-breakpoint
CREATE INDEX "question_step_at" ON "question_step" USING btree ("at");--> statement-breakpoint
CREATE UNIQUE INDEX "reference_answer_once" ON "reference_answer" USING btree ("question_hash","best_answer_md5");--> statement-breakpoint
CREATE UNIQUE INDEX "response_event_question_hash_round" ON "response_event" USING btree ("question_hash","round");--> statement-breakpoint
CREATE INDEX "response_event_created_at" ON "response_event" USING btree ("created_at");