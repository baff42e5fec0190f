/** As much of JSON Schema (2020-12) as docs/report-schema.json uses; what it doesn't know, it refuses. */

export type Schema = Readonly<Record<string, unknown>>;

const KNOWN = new Set(
  "$schema $defs $ref title description type const enum pattern minimum required properties additionalProperties".split(
    " ",
  ),
);
for (const word of ["items", "propertyNames"]) KNOWN.add(word);

/** What is wrong with `value`, a line each: none, when it is what the schema describes. */
export function schemaErrors(value: unknown, schema: Schema, root: Schema = schema, at = "$"): string[] {
  for (const keyword of Object.keys(schema)) {
    if (!KNOWN.has(keyword)) throw new Error(`this validator does not know "${keyword}"`);
  }
  if (typeof schema.$ref === "string") return schemaErrors(value, resolve(schema.$ref, root), root, at);
  const errors: string[] = [];
  const complain = (what: string): void => {
    errors.push(`${at}: ${what}, not ${JSON.stringify(value)}`);
  };
  if (schema.type !== undefined && ![schema.type].flat().some((type) => isOfType(value, type))) {
    complain(`must be ${String(schema.type)}`);
  }
  if (schema.const !== undefined && value !== schema.const)
    complain(`must be ${JSON.stringify(schema.const)}`);
  if (Array.isArray(schema.enum) && !schema.enum.includes(value))
    complain(`must be one of ${schema.enum.join()}`);
  if (typeof value === "number" && typeof schema.minimum === "number" && value < schema.minimum) {
    complain(`must be at least ${schema.minimum}`);
  }
  if (
    typeof value === "string" &&
    typeof schema.pattern === "string" &&
    !new RegExp(schema.pattern).test(value)
  ) {
    complain(`must match ${schema.pattern}`);
  }
  if (Array.isArray(value) && schema.items !== undefined) {
    for (const [index, item] of value.entries()) {
      errors.push(...schemaErrors(item, schema.items as Schema, root, `${at}[${index}]`));
    }
  }
  if (isObject(value)) errors.push(...objectErrors(value, schema, root, at));
  return errors;
}

function objectErrors(value: Schema, schema: Schema, root: Schema, at: string): string[] {
  const errors: string[] = [];
  const properties = (schema.properties ?? {}) as Readonly<Record<string, Schema>>;
  for (const name of (schema.required ?? []) as readonly string[]) {
    if (!(name in value)) errors.push(`${at}: has no "${name}"`);
  }
  for (const [name, item] of Object.entries(value)) {
    if (schema.propertyNames !== undefined) {
      errors.push(...schemaErrors(name, schema.propertyNames as Schema, root, `${at}, its name`));
    }
    const known: unknown = properties[name] ?? schema.additionalProperties;
    if (known === false) errors.push(`${at}: "${name}" is not in the schema`);
    else if (isObject(known)) errors.push(...schemaErrors(item, known, root, `${at}.${name}`));
  }
  return errors;
}

function resolve(ref: string, root: Schema): Schema {
  let found: unknown = root;
  for (const step of ref.split("/").slice(1)) found = isObject(found) ? found[step] : undefined;
  if (!isObject(found)) throw new Error(`no ${ref}`);
  return found;
}

function isOfType(value: unknown, type: unknown): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "integer":
      return Number.isInteger(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    default:
      return typeof value === type;
  }
}

function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
