/**
 * The ten questions of the demonstration, and what the offline model is told to do to some of them.
 *
 * In: nothing. Out: questions with a fate. Never here: asking them.
 */
import type { DatasetQuestion } from "../questions/dataset.ts";
import type { ScriptEntry } from "../model/offline/script.ts";

export interface DemoQuestion extends DatasetQuestion {
  /** Replies of the offline model to the first calls; after them it answers. Default: it answers at once. */
  readonly fate?: readonly string[];
}

export const QUESTIONS: readonly DemoQuestion[] = [
  {
    title: "What is Apache Kafka?",
    content: "",
    best_answer: "A distributed event streaming platform",
  },
  {
    title: "¿Quién escribió Cien años de soledad?",
    content: "",
    best_answer: "Gabriel García Márquez",
    fate: ["rate_limit:2100ms"],
  },
  {
    title: "How long does the crossing to the island take?",
    content:
      "The ferry leaves the harbour at seven in the morning. The crossing to the island takes forty minutes. Bicycles travel free of charge.",
    best_answer: "forty minutes",
    fate: ["bad_answer"],
  },
  {
    title: "¿Cuánto dura el viaje en tren hasta la costa?",
    content:
      "El tren sale a las ocho. El viaje en tren hasta la costa dura dos horas y cuarto. Los niños viajan gratis.",
    best_answer: "dos horas y cuarto",
    fate: ["timeout"],
  },
  { title: "What is the capital of Japan?", content: "", best_answer: "Tokyo" },
  { title: "¿Cuál es la capital de Perú?", content: "", best_answer: "Lima", fate: ["garbage"] },
  {
    title: "Who keeps the key of the old lighthouse?",
    content:
      "The old lighthouse was built in 1887. The harbour master keeps the key of the lighthouse. Visitors are welcome on Sundays.",
    best_answer: "the harbour master",
  },
  {
    title: "¿En qué año se construyó el molino?",
    content: "El molino se construyó en 1743. Su dueño era panadero. En 1901 una riada se llevó la rueda.",
    best_answer: "1743",
    fate: ["rate_limit:1200ms", "bad_answer"],
  },
  {
    title: "Who painted the Mona Lisa?",
    content: "",
    best_answer: "Leonardo da Vinci",
    fate: ["server_error"],
  },
  { title: "¿Quién pintó Las Meninas?", content: "", best_answer: "Diego Velázquez" },
];

/** The fates as the offline model's script. */
export const SCRIPT: readonly ScriptEntry[] = QUESTIONS.flatMap(({ title, fate }) =>
  fate === undefined ? [] : [{ match: title, replies: fate }],
);
