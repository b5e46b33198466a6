/**
 * Settings: declared once with a schema, read once from the environment, frozen, handed in.
 *
 * In: declarations and an environment. Out: typed values, and for each one where it came from.
 * Never here: `process.env` (the caller hands it in), defaults scattered over the code, secrets in errors.
 */
import * as v from "valibot";
import { CauceError } from "../ground/errors.ts";

export interface SettingDeclaration<
  S extends v.GenericSchema<string | undefined, unknown> = v.GenericSchema<string | undefined, unknown>,
> {
  /** The variable's name in the environment. */
  readonly env: string;
  /** From the variable's text (or undefined, when it is unset or empty) to the value. Defaults belong in the schema. */
  readonly schema: S;
  /** One sentence for `doctor` and the docs: what it does, its unit, its default. */
  readonly about: string;
  /** A secret's value is never shown. Default false. */
  readonly secret?: boolean;
}

export type SettingDeclarations = Readonly<Record<string, SettingDeclaration>>;
export type SettingValues<D extends SettingDeclarations> = {
  readonly [Name in keyof D]: v.InferOutput<D[Name]["schema"]>;
};
export type Environment = Readonly<Record<string, string | undefined>>;

export interface SettingLine {
  readonly name: string;
  readonly env: string;
  readonly value: string;
  readonly source: "environment" | "default";
  readonly about: string;
}

/**
 * Reads all settings at once.
 * @throws CauceError `config_invalid` that lists every bad variable with what was expected and what came (a secret's
 * value is not repeated).
 */
export function readSettings<const D extends SettingDeclarations>(
  declarations: D,
  environment: Environment,
): SettingValues<D> {
  const values: Record<string, unknown> = {};
  const complaints: string[] = [];
  for (const [name, { env, schema, secret }] of Object.entries(declarations)) {
    const text = environment[env] || undefined;
    const result = v.safeParse(schema, text);
    if (result.success) values[name] = result.output;
    else {
      const came = text === undefined ? "it is not set" : secret ? "a value that is not shown" : `"${text}"`;
      complaints.push(`${env}: ${result.issues.map((issue) => issue.message).join("; ")} (${came})`);
    }
  }
  if (complaints.length > 0) {
    throw new CauceError("config_invalid", `settings that cannot be used:\n  ${complaints.join("\n  ")}`);
  }
  return Object.freeze(values) as SettingValues<D>;
}

/** Every setting with its value and source, for `doctor`. Secrets are shown as "set" or "unset". */
export function describeSettings<D extends SettingDeclarations>(
  declarations: D,
  values: SettingValues<D>,
  environment: Environment,
): readonly SettingLine[] {
  return Object.entries(declarations).map(([name, { env, about, secret }]) => {
    const source = environment[env] ? "environment" : "default";
    const value = values[name];
    return { name, env, value: shown(value, secret ?? false), source, about };
  });
}

function shown(value: unknown, secret: boolean): string {
  if (value === undefined) return "unset";
  if (secret) return "set (hidden)";
  return (
    (typeof value === "string" ? value : Array.isArray(value) ? value.join(",") : JSON.stringify(value)) ||
    "none"
  );
}

/** Text → a whole number within bounds, with a default. */
export function wholeNumber(bounds: { readonly min: number; readonly max: number; readonly preset: number }) {
  const expected = `expected a whole number from ${bounds.min} to ${bounds.max}`;
  return v.pipe(
    v.optional(v.string(), String(bounds.preset)),
    v.regex(/^-?\d+$/, expected),
    v.transform(Number),
    v.minValue(bounds.min, expected),
    v.maxValue(bounds.max, expected),
  );
}

/** A whole number as text, or nothing. */
export function optionalNumber({ min, max }: { readonly min: number; readonly max: number }) {
  const expected = `expected a whole number from ${min} to ${max}`;
  return v.optional(
    v.pipe(
      v.string(),
      v.regex(/^-?\d+$/, expected),
      v.transform(Number),
      v.minValue(min, expected),
      v.maxValue(max, expected),
    ),
  );
}
