/**
 * Checks a value against one of the schemas in schemas/: as much of JSON Schema as they use.
 *
 * In: a schema, its definitions, a value. Out: every fault as a sentence with its path. A keyword that is not known here is an
 * error of the schema and never passed over. Never here: reading files, what a value means.
 */

export type Schema = Readonly<Record<string, unknown>>;
export type Definitions = Readonly<Record<string, Schema>>;

interface Place {
  readonly path: string;
  readonly definitions: Definitions;
}

/** Every fault of the value; none when it fits. @throws Error for a schema that uses what is not known here. */
export function findSchemaFaults(schema: Schema, value: unknown, definitions: Definitions): string[] {
  return check(schema, value, { path: "", definitions });
}

function check(schema: Schema, value: unknown, place: Place): string[] {
  return Object.entries(schema).flatMap(([keyword, rule]) => {
    const checker = KEYWORDS[keyword];
    if (checker === undefined) throw new Error(`the schema uses ${keyword}, which is not known here`);
    // Each keyword's rule has its own type; that they are as JSON Schema says is what derive.ts sees to.
    return checker(rule as never, value, place, schema);
  });
}

type Checker = (rule: never, value: unknown, place: Place, schema: Schema) => string[];

const fault = ({ path }: Place, words: string) => [`${path || "the document"}: ${words}`];
const under = (place: Place, key: string | number): Place => ({
  ...place,
  path: place.path === "" ? String(key) : `${place.path}.${key}`,
});

const KEYWORDS: Readonly<Record<string, Checker>> = {
  $ref(rule: string, value, place) {
    const target = place.definitions[rule.replace(/^#\/\$defs\//, "")];
    if (target === undefined) throw new Error(`the schema points to ${rule}, which is not there`);
    return check(target, value, place);
  },
  type(rule: string | readonly string[], value, place) {
    const wanted = [rule].flat();
    return wanted.some((type) => isOf(type, value))
      ? []
      : fault(place, `expected ${wanted.join(" or ")}, found ${JSON.stringify(value)?.slice(0, 60)}`);
  },
  enum(rule: readonly unknown[], value, place) {
    return rule.includes(value) ? [] : fault(place, `${JSON.stringify(value)} is none of ${rule.join(", ")}`);
  },
  pattern(rule: string, value, place) {
    return typeof value !== "string" || new RegExp(rule, "u").test(value)
      ? []
      : fault(place, `${JSON.stringify(value)} does not fit ${rule}`);
  },
  minimum(rule: number, value, place) {
    return typeof value !== "number" || value >= rule ? [] : fault(place, `${value} is below ${rule}`);
  },
  maximum(rule: number, value, place) {
    return typeof value !== "number" || value <= rule ? [] : fault(place, `${value} is above ${rule}`);
  },
  minLength(rule: number, value, place) {
    return typeof value !== "string" || value.length >= rule ? [] : fault(place, "it is too short");
  },
  maxLength(rule: number, value, place) {
    return typeof value !== "string" || value.length <= rule ? [] : fault(place, "it is too long");
  },
  minItems(rule: number, value, place) {
    return !Array.isArray(value) || value.length >= rule ? [] : fault(place, `fewer than ${rule} items`);
  },
  maxItems(rule: number, value, place) {
    return !Array.isArray(value) || value.length <= rule ? [] : fault(place, `more than ${rule} items`);
  },
  uniqueItems(rule: boolean, value, place) {
    const texts = Array.isArray(value) ? value.map((one: unknown) => JSON.stringify(one)) : [];
    return !rule || new Set(texts).size === texts.length ? [] : fault(place, "an item stands there twice");
  },
  items(rule: Schema, value, place) {
    return Array.isArray(value)
      ? value.flatMap((one: unknown, index) => check(rule, one, under(place, index)))
      : [];
  },
  required(rule: readonly string[], value, place) {
    return isObject(value)
      ? rule.filter((name) => !(name in value)).flatMap((name) => fault(place, `${name} is missing`))
      : [];
  },
  properties(rule: Definitions, value, place) {
    return isObject(value)
      ? Object.entries(rule).flatMap(([name, schema]) =>
          name in value ? check(schema, value[name], under(place, name)) : [],
        )
      : [];
  },
  patternProperties(rule: Definitions, value, place) {
    return isObject(value)
      ? Object.entries(rule).flatMap(([pattern, schema]) =>
          Object.keys(value)
            .filter((name) => new RegExp(pattern, "u").test(name))
            .flatMap((name) => check(schema, value[name], under(place, name))),
        )
      : [];
  },
  additionalProperties(rule: boolean | Schema, value, place, schema) {
    if (!isObject(value) || rule === true) return [];
    const named = Object.keys(schema["properties"] ?? {});
    const patterns = Object.keys(schema["patternProperties"] ?? {});
    return Object.keys(value)
      .filter((name) => !named.includes(name) && !patterns.some((each) => new RegExp(each, "u").test(name)))
      .flatMap((name) =>
        rule === false
          ? fault(place, `there is no field "${name}"`)
          : check(rule, value[name], under(place, name)),
      );
  },
  allOf: (rule: readonly Schema[], value, place) => rule.flatMap((schema) => check(schema, value, place)),
  anyOf: (rule: readonly Schema[], value, place) => nearest(rule, value, place),
  // Where these schemas say "one of", the alternatives are types: no value fits two of them.
  oneOf: (rule: readonly Schema[], value, place) => nearest(rule, value, place),
};

/** None when one of the schemas fits; else the faults of the one that is meant: of the value's type, then the fewest faults. */
function nearest(schemas: readonly Schema[], value: unknown, place: Place): string[] {
  const tries = schemas.map((schema) => ({
    faults: check(schema, value, place),
    otherType: check({ type: schema["type"] ?? [] }, value, place).length,
  }));
  if (tries.some(({ faults }) => faults.length === 0)) return [];
  const meant = tries.toSorted((a, b) => a.otherType - b.otherType || a.faults.length - b.faults.length)[0];
  return meant?.faults ?? [];
}

function isOf(type: string, value: unknown): boolean {
  if (type === "object") return isObject(value);
  if (type === "array") return Array.isArray(value);
  if (type === "null") return value === null;
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
