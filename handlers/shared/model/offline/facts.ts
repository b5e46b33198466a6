/**
 * A few facts of our own, so that a first question gets an answer without a passage.
 *
 * In: a question without a passage. Out: a fact whose wording is near enough, or nothing. Never here: guesses.
 */
import { languageOf, type Language } from "../../text/language.ts";
import { contentTokens, stem } from "../../text/tokens.ts";
import { kindOf, type Kind } from "./question-kind.ts";

/** The fact that answers the question, or undefined when none is near enough. */
export function factFor(title: string): string | undefined {
  const asked = new Set(contentTokens(title).map(stem));
  const language = languageOf(title);
  const kind = kindOf(title);
  let best: { readonly answer: string; readonly nearness: number } | undefined;
  for (const { words, answer, ...fact } of INDEX) {
    if (asked.size === 0 || fact.language !== language || fact.kind !== kind) continue;
    const shared = [...words].filter((word) => asked.has(word)).length;
    const nearness = (2 * shared) / (words.size + asked.size);
    if (nearness >= LEAST_NEARNESS && nearness > (best?.nearness ?? 0)) best = { answer, nearness };
  }
  return best?.answer;
}

/** Dice's coefficient of content words. Below this, "capital of France" would answer "capital of Japan". */
const LEAST_NEARNESS = 0.75;

/** Question and answer; one fact may be asked in several ways. */
const FACTS: readonly (readonly [question: string, answer: string])[] = [
  [
    "What is Kafka?",
    "Apache Kafka is a distributed event streaming platform: a durable, partitioned log of messages.",
  ],
  [
    "What is Apache Kafka?",
    "Apache Kafka is a distributed event streaming platform: a durable, partitioned log of messages.",
  ],
  [
    "What is Apache Kafka used for?",
    "Apache Kafka is used to publish, store and process streams of events between systems.",
  ],
  [
    "¿Qué es Kafka?",
    "Apache Kafka es una plataforma distribuida de transmisión de eventos: un registro duradero y particionado de mensajes.",
  ],
  [
    "¿Qué es Apache Kafka?",
    "Apache Kafka es una plataforma distribuida de transmisión de eventos: un registro duradero y particionado de mensajes.",
  ],
  ["What does Cauce mean?", "Cauce is Spanish for the bed in which a stream runs."],
  ["¿Qué significa cauce?", "El cauce es el lecho por el que corre un río o arroyo."],
  [
    "What is a Kafka consumer group?",
    "A consumer group is a set of consumers that share the partitions of a topic, each partition read by one of them.",
  ],
  [
    "What is a Kafka partition?",
    "A partition is an ordered, append-only part of a topic; order holds within it.",
  ],
  [
    "What is a dead letter queue?",
    "A dead letter queue is where messages are put that could not be processed, with the reason.",
  ],
  [
    "¿Qué es una cola de mensajes muertos?",
    "Es donde se guardan los mensajes que no se pudieron procesar, con el motivo.",
  ],
  [
    "What is exponential backoff?",
    "Exponential backoff is waiting longer after each failure, usually twice as long, before trying again.",
  ],
  [
    "What is idempotence?",
    "An operation is idempotent when doing it more than once has the same effect as doing it once.",
  ],
  [
    "What is Bun?",
    "Bun is a JavaScript and TypeScript runtime with a bundler, a test runner and a package manager.",
  ],
  ["What is PostgreSQL?", "PostgreSQL is an open-source relational database."],
  ["What is Redis?", "Redis is an in-memory data store, often used as a cache."],
  ["What is the capital of France?", "The capital of France is Paris."],
  ["¿Cuál es la capital de Francia?", "La capital de Francia es París."],
  ["What is the capital of Spain?", "The capital of Spain is Madrid."],
  ["¿Cuál es la capital de España?", "La capital de España es Madrid."],
  ["What is the capital of Japan?", "The capital of Japan is Tokyo."],
  ["¿Cuál es la capital de Perú?", "La capital de Perú es Lima."],
  ["¿Cuál es la capital de Argentina?", "La capital de Argentina es Buenos Aires."],
  ["¿Cuál es la capital de Australia?", "La capital de Australia es Canberra."],
  ["What is the capital of Australia?", "The capital of Australia is Canberra."],
  ["¿Cuál es la capital de México?", "La capital de México es la Ciudad de México."],
  ["Who wrote Don Quixote?", "Miguel de Cervantes wrote Don Quixote."],
  ["¿Quién escribió Don Quijote de la Mancha?", "Miguel de Cervantes escribió Don Quijote de la Mancha."],
  ["¿Quién escribió el Quijote?", "Miguel de Cervantes escribió Don Quijote de la Mancha."],
  ["¿Quién escribió Cien años de soledad?", "Gabriel García Márquez escribió Cien años de soledad."],
  ["Who wrote Hamlet?", "William Shakespeare wrote Hamlet."],
  ["Who painted the Mona Lisa?", "Leonardo da Vinci painted the Mona Lisa."],
  ["¿Quién pintó Las Meninas?", "Diego Velázquez pintó Las Meninas."],
  ["¿Quién pintó el Guernica?", "Pablo Picasso pintó el Guernica."],
  ["Who discovered penicillin?", "Alexander Fleming discovered penicillin in 1928."],
  ["¿Quién descubrió la penicilina?", "Alexander Fleming descubrió la penicilina en 1928."],
  [
    "Who was the first person on the Moon?",
    "Neil Armstrong was the first person to walk on the Moon, in July 1969.",
  ],
  [
    "Who was the first person to walk on the Moon?",
    "Neil Armstrong was the first person to walk on the Moon, in July 1969.",
  ],
  [
    "¿Quién fue la primera persona en pisar la Luna?",
    "Neil Armstrong fue la primera persona en pisar la Luna, en julio de 1969.",
  ],
  ["When did the Berlin Wall fall?", "The Berlin Wall fell on 9 November 1989."],
  ["¿Cuándo cayó el Muro de Berlín?", "El Muro de Berlín cayó el 9 de noviembre de 1989."],
  ["When did World War II end?", "World War II ended in 1945."],
  ["¿Cuándo terminó la Segunda Guerra Mundial?", "La Segunda Guerra Mundial terminó en 1945."],
  ["¿En qué año llegó Colón a América?", "Cristóbal Colón llegó a América en 1492."],
  ["How many planets are there in the Solar System?", "There are eight planets in the Solar System."],
  ["¿Cuántos planetas hay en el sistema solar?", "Hay ocho planetas en el sistema solar."],
  ["What is the largest planet in the Solar System?", "Jupiter is the largest planet in the Solar System."],
  [
    "¿Cuál es el planeta más grande del sistema solar?",
    "Júpiter es el planeta más grande del sistema solar.",
  ],
  ["What is the longest river in South America?", "The Amazon is the longest river in South America."],
  [
    "¿Cuál es el río más largo de España?",
    "El Tajo es el río más largo de la península ibérica; el Ebro, el más largo que corre entero por España.",
  ],
  [
    "What is the highest mountain in the world?",
    "Mount Everest is the highest mountain in the world, at about 8,849 metres.",
  ],
  [
    "¿Cuál es la montaña más alta del mundo?",
    "El Everest es la montaña más alta del mundo, con unos 8849 metros.",
  ],
  ["What is the chemical symbol for gold?", "The chemical symbol for gold is Au."],
  ["¿Cuál es el símbolo químico del oro?", "El símbolo químico del oro es Au."],
  ["What is the chemical formula of water?", "The chemical formula of water is H2O."],
  ["¿Cuál es la fórmula química del agua?", "La fórmula química del agua es H2O."],
  ["What is the speed of light?", "Light travels at 299,792,458 metres per second in vacuum."],
  ["¿Cuál es la velocidad de la luz?", "La luz viaja a 299 792 458 metros por segundo en el vacío."],
  ["At what temperature does water boil?", "Water boils at 100 °C at sea level."],
  ["¿A qué temperatura hierve el agua?", "El agua hierve a 100 °C al nivel del mar."],
];

interface Fact {
  readonly words: ReadonlySet<string>;
  readonly language: Language;
  /** "Who is Kafka?" is not answered with what Kafka is. */
  readonly kind: Kind;
  readonly answer: string;
}

const INDEX: readonly Fact[] = FACTS.map(([question, answer]) => ({
  words: new Set(contentTokens(question).map(stem)),
  language: languageOf(question),
  kind: kindOf(question),
  answer,
}));
