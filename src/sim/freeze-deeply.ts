/** Makes every change of a value or of its parts throw, so that what is shared shows who changes it. Stops at what is frozen already. */
export function freezeDeeply(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freezeDeeply(part);
}
