/**
 * A small set of answers with labels that anybody can check, made for the tests: no data set is copied here.
 *
 * In: nothing. Out: EVOUNA-shaped rows, half of their answers right, in two "systems". Never here: judging.
 */

const FACTS: readonly (readonly [question: string, reference: string, right: string, wrong: string])[] = [
  ["What is the capital of Australia?", "Canberra", "The capital is Canberra.", "The capital is Sydney."],
  ["Who painted Las Meninas?", "Diego Velázquez", "It was Velazquez.", "It was Francisco de Goya."],
  ["When did the Berlin Wall fall?", "9 November 1989", "On 9 November 1989.", "On 9 November 1961."],
  ["How many planets are there?", "eight", "There are 8 planets.", "There are 9 planets."],
  [
    "Which planet is the largest?",
    "Jupiter (planet)/Planet Jupiter/♃",
    "Jupiter is the largest.",
    "Saturn is the largest.",
  ],
  ["Who wrote Hamlet?", "William Shakespeare/Shakespeare", "Shakespeare did.", "Christopher Marlowe did."],
  [
    "What is the boiling point of water?",
    "100 degrees",
    "It boils at 100 degrees.",
    "It boils at 90 degrees.",
  ],
  [
    "Which river flows through Cairo?",
    "The Nile",
    "The Nile flows through it.",
    "The Niger flows through it.",
  ],
  ["Who discovered penicillin?", "Alexander Fleming", "Sir Alexander Fleming.", "Louis Pasteur."],
  ["What is the currency of Japan?", "yen", "They pay in yen.", "They pay in won."],
  ["How long is a marathon?", "42.195 km", "It is 42.195 km long.", "It is 40 km long."],
  ["Which metal is liquid at room temperature?", "Mercury/Hg/quicksilver", "Mercury is.", "I don't know."],
  ["Is the sun a star?", "Yes", "Yes, it is.", "No, it is a planet."],
  ["¿Cuál es la capital de Perú?", "Lima", "La capital es Lima.", "La capital no es Lima, es Cuzco."],
  ["¿Quién escribió el Quijote?", "Miguel de Cervantes", "Lo escribió Cervantes.", "No lo sé."],
  ["¿Cuántos días tiene febrero?", "28", "Tiene veintiocho días: 28.", "Tiene 31 días."],
];

/** As an EVOUNA file has them; every row labels two answers. */
export const INVENTED_ROWS = FACTS.map(([question, golden_answer, right, wrong], index) => ({
  question,
  golden_answer,
  answer_a: index % 2 === 0 ? right : wrong,
  judge_a: index % 2 === 0,
  answer_b: index % 2 === 0 ? wrong : right,
  judge_b: index % 2 === 1,
  improper: false,
}));
