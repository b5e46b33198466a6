/**
 * Consumer groups as the brokers see them: which there are, who is in them, who owns what.
 *
 * In: names of groups. Out: plain values, one per group; what is refused for one group is said in its entry.
 * Never here: a change of a group, offsets (offsets.ts).
 */
import type { TopicPartition } from "../bus/bus.ts";
import { EVENT } from "./client.ts";
import { ERROR, errorName, throwLentError } from "./failures.ts";
import { readList } from "./partitions.ts";
import { eachPointer, nativeText, pointerArray } from "./pointers.ts";
import type { Pump } from "./pump.ts";
import type { Requests } from "./requests.ts";
import { type Address, type Library, scratch, text } from "./symbols.ts";

interface GroupQuestion {
  readonly pump: Pump;
  readonly requests: Requests;
  readonly timeoutMs: number;
}

export interface GroupListing {
  readonly group: string;
  /** As Kafka names it: `Stable`, `Empty`, `PreparingRebalance`, `Assigning`, … */
  readonly state: string;
  /** `Classic` or `Consumer` (KIP-848); `Unknown` where an old broker does not say. */
  readonly type: string;
}

export interface GroupMember {
  readonly memberId: string;
  readonly clientId: string;
  readonly host: string;
  /** Undefined without static membership. */
  readonly groupInstanceId: string | undefined;
  readonly partitions: readonly TopicPartition[];
}

export interface GroupDescription extends GroupListing {
  /** librdkafka's number, 0 where the group could be described. */
  readonly err: number;
  /** The refusal in words; empty where there is none. */
  readonly detail: string;
  /** How partitions are shared out, such as `cooperative-sticky` or `uniform`; empty for a group without members. */
  readonly assignor: string;
  readonly members: readonly GroupMember[];
}

/** @throws CauceError `broker` where a broker could not say which groups it has: a partial list is not shown */
export function listGroups({ pump, requests, timeoutMs }: GroupQuestion): Promise<GroupListing[]> {
  const { library, client, queue } = pump;
  const { native } = library;
  return requests.ask({
    answeredBy: EVENT.listGroups,
    what: "list groups",
    timeoutMs,
    start: (options) => native.rd_kafka_ListConsumerGroups(client, options, queue),
    read: (event) => {
      const result = native.rd_kafka_event_ListConsumerGroups_result(event) ?? 0;
      const count = scratch(8);
      const errors = native.rd_kafka_ListConsumerGroups_result_errors(result, count.address) ?? 0;
      for (const error of eachPointer(errors, count.view)) throwLentError(library, error, "list groups");
      const groups = native.rd_kafka_ListConsumerGroups_result_valid(result, count.address) ?? 0;
      return eachPointer(groups, count.view).map((group) => ({
        group: text(native.rd_kafka_ConsumerGroupListing_group_id(group)),
        state: stateName(library, native.rd_kafka_ConsumerGroupListing_state(group)),
        type: typeName(library, native.rd_kafka_ConsumerGroupListing_type(group)),
      }));
    },
  });
}

export function describeGroups(
  question: GroupQuestion & { readonly groups: readonly string[] },
): Promise<GroupDescription[]> {
  const { pump, requests, timeoutMs, groups } = question;
  const { library, client, queue } = pump;
  const { native } = library;
  if (groups.length === 0) return Promise.resolve([]);
  return requests.ask({
    answeredBy: EVENT.describeGroups,
    what: "describe groups",
    timeoutMs,
    start: (options) => {
      const texts = groups.map(nativeText);
      const array = pointerArray(texts.map(({ address }) => address));
      native.rd_kafka_DescribeConsumerGroups(client, array.address, groups.length, options, queue);
    },
    read: (event) => {
      const result = native.rd_kafka_event_DescribeConsumerGroups_result(event) ?? 0;
      const count = scratch(8);
      const found = native.rd_kafka_DescribeConsumerGroups_result_groups(result, count.address) ?? 0;
      return eachPointer(found, count.view).map((group) => readGroup(library, group));
    },
  });
}

function readGroup(library: Library, group: Address): GroupDescription {
  const { native } = library;
  const error = native.rd_kafka_ConsumerGroupDescription_error(group);
  const err = error ? native.rd_kafka_error_code(error) : ERROR.none;
  const members = native.rd_kafka_ConsumerGroupDescription_member_count(group);
  return {
    group: text(native.rd_kafka_ConsumerGroupDescription_group_id(group)),
    err,
    detail:
      err === ERROR.none ? "" : text(native.rd_kafka_error_string(error ?? 0)) || errorName(library, err),
    state: stateName(library, native.rd_kafka_ConsumerGroupDescription_state(group)),
    type: typeName(library, native.rd_kafka_ConsumerGroupDescription_type(group)),
    assignor: text(native.rd_kafka_ConsumerGroupDescription_partition_assignor(group)),
    members: Array.from({ length: members }, (_, at) =>
      readMember(library, native.rd_kafka_ConsumerGroupDescription_member(group, at) ?? 0),
    ),
  };
}

function readMember({ native }: Library, member: Address): GroupMember {
  const instance = text(native.rd_kafka_MemberDescription_group_instance_id(member));
  const assignment = native.rd_kafka_MemberDescription_assignment(member) ?? 0;
  const owned = assignment === 0 ? 0 : (native.rd_kafka_MemberAssignment_partitions(assignment) ?? 0);
  return {
    memberId: text(native.rd_kafka_MemberDescription_consumer_id(member)),
    clientId: text(native.rd_kafka_MemberDescription_client_id(member)),
    host: text(native.rd_kafka_MemberDescription_host(member)),
    groupInstanceId: instance === "" ? undefined : instance,
    partitions: readList(owned).map(({ topic, partition }) => ({ topic, partition })),
  };
}

function stateName({ native }: Library, state: number): string {
  return text(native.rd_kafka_consumer_group_state_name(state));
}

function typeName({ native }: Library, type: number): string {
  return text(native.rd_kafka_consumer_group_type_name(type));
}
