/**
 * Loaded before tests that draw their inputs: the same ones in every run of `./steer test`, so that a delivery is judged by what changed.
 * `node --test FILE` draws others each time, and prints the seed of what it finds.
 */
import fc from "fast-check";

fc.configureGlobal({ seed: 36 });
