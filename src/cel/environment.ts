import type { Overload } from "./library.ts";
import { typeNamed } from "./type-names.ts";
import type { ObjectType, Type } from "./types.ts";
import { TypeValue, type Value } from "./value.ts";

export interface Variable {
  readonly name: string;
  readonly type: Type;
}

/**
 * What expressions may use: variables in the order in which an evaluation is given their values, functions, object types that
 * literals may make.
 */
export class Environment {
  readonly variables: readonly Variable[];
  readonly #functions: ReadonlyMap<string, readonly Overload[]>;
  readonly #objectTypes: ReadonlyMap<string, ObjectType>;
  readonly #slots: ReadonlyMap<string, number>;
  readonly #libraries: readonly (readonly Overload[])[];

  constructor(
    libraries: readonly (readonly Overload[])[],
    variables: readonly Variable[] = [],
    objectTypes: readonly ObjectType[] = [],
    functions?: ReadonlyMap<string, readonly Overload[]>,
  ) {
    this.variables = variables;
    this.#libraries = libraries;
    this.#slots = new Map(variables.map(({ name }, index) => [name, index]));
    this.#objectTypes = new Map(objectTypes.map((type) => [type.name, type]));
    this.#functions = functions ?? functionsOf(libraries);
  }

  /** The same functions with other variables. */
  with(variables: readonly Variable[], objectTypes: readonly ObjectType[] = []): Environment {
    return new Environment(this.#libraries, variables, objectTypes, this.#functions);
  }

  slotOf(name: string): number | undefined {
    return this.#slots.get(name);
  }

  overloadsOf(name: string): readonly Overload[] {
    return this.#functions.get(name) ?? [];
  }

  objectType(name: string): ObjectType | undefined {
    return this.#objectTypes.get(name) ?? this.#openType(name);
  }

  /** `Object.spec`, where `Object` may have any field. */
  #openType(name: string): ObjectType | undefined {
    const root = this.#objectTypes.get(name.split(".", 1)[0] ?? "");
    return root?.isOpen === true ? { ...root, name } : undefined;
  }

  /** A name of a type as a value; undefined when it is none. */
  typeNamed(name: string): { readonly type: Type; readonly value: Value } | undefined {
    const type = typeNamed(name);
    return type === undefined ? undefined : { type: { kind: "type", of: type }, value: new TypeValue(name) };
  }
}

function functionsOf(libraries: readonly (readonly Overload[])[]): Map<string, Overload[]> {
  const functions = new Map<string, Overload[]>();
  for (const overload of libraries.flat()) {
    const known = functions.get(overload.name);
    if (known === undefined) functions.set(overload.name, [overload]);
    else known.push(overload);
  }
  return functions;
}
