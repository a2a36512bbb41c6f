/** Digits and consonants that cannot form words and are not mistaken for each other. */
const safeAlphabet = "bcdfghjklmnpqrstvwxz2456789";

const suffixLength = 5;
const generatedLengthMax = 63;

/** What gives the randomness: `world`'s Random has it. */
export interface RandomFloat {
  /** A float in [0, 1). */
  float(): number;
}

/** `length` random characters that are safe in names and do not spell words. */
export function randomSuffix(random: RandomFloat, length: number = suffixLength): string {
  let text = "";
  for (let i = 0; i < length; i++) text += safeAlphabet[Math.floor(random.float() * safeAlphabet.length)];
  return text;
}

/** `prefix` cut so that five generated characters after it fit into 63. */
export function generateName(prefix: string, random: RandomFloat): string {
  return prefix.slice(0, generatedLengthMax - suffixLength) + randomSuffix(random);
}
