/** The bus contract over librdkafka: on the mock cluster by both crossings, and on a real Apache Kafka. */
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { MOCK_CLIENTS, MockCluster } from "../../runtime/kafka/index.ts";
import { busContract } from "../bus/contract.ts";
import { sharedKafka } from "../services/kafka.ts";
import { CROSSINGS, testLibrary } from "./library.ts";

for (const crossing of CROSSINGS) {
  busContract(
    `librdkafka on its mock cluster, ${crossing}`,
    async () => {
      const library = await testLibrary();
      const cluster = MockCluster.start({ library });
      return {
        open: () =>
          createKafkaBus({
            library,
            crossing,
            brokers: cluster.bootstrap,
            clientId: "contract",
            ...MOCK_CLIENTS,
            offsetsApart: true,
            createTopic: (plan) => Promise.resolve(cluster.createTopic(plan.name, plan.partitions)),
          }),
        stop: () => Promise.resolve(cluster.close()),
      };
    },
    { takenBack: "shown" },
  );
}

for (const groupProtocol of ["classic", "consumer"] as const) {
  busContract(`librdkafka on Apache Kafka, group protocol ${groupProtocol}`, async () => {
    const [library, kafka] = await Promise.all([testLibrary(), sharedKafka()]);
    return {
      open: () => createKafkaBus({ library, groupProtocol, brokers: kafka.brokers, clientId: "contract" }),
      stop: () => Promise.resolve(),
    };
  });
}
