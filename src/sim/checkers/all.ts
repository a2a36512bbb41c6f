import type { CheckerFactory } from "./checker.ts";

/** Every checker there is; all of them watch every seed. */
export const allCheckers: readonly CheckerFactory[] = [];
