import type { Device } from "#api/generated/resource-v1.ts";
import type { IsOver, Steps } from "../line.ts";
import { deviceLimits } from "./limits.ts";
import { judge, type Judgement } from "./selector.ts";
import type { SliceView } from "./views.ts";

/** What one list of selectors says of devices; undefined of those that were not judged by it. */
export type Answers = Pick<WeakMap<Device, Judgement>, "get">;

interface Judged {
  readonly answers: WeakMap<Device, Judgement>;
  /** All devices that are there now are judged. */
  isComplete: boolean;
}

/** Nothing is asked of devices. */
const everyDevice: Answers = { get: () => ({ ok: true, matches: true }) };

/**
 * What lists of selectors say of devices, remembered for the lists that were used last: in all for `answersMax` devices, or one list.
 * Devices are never changed in place, so an answer holds as long as its device. Who has the answers of a list keeps them.
 */
export class Judgements {
  /** By the list as JSON; most recently used last. */
  readonly #lists = new Map<string, Judged>();
  #revision = 0;

  /** Devices came or went. */
  changed(): void {
    this.#revision += 1;
    for (const list of this.#lists.values()) list.isComplete = false;
  }

  /** Judges all devices by a list of selectors, in turns. When slices change meanwhile, new devices may be left out. */
  *by(selectors: readonly string[], slices: readonly SliceView[], isOver: IsOver): Steps<Answers> {
    if (selectors.length === 0) return everyDevice;
    const list = this.#list(JSON.stringify(selectors), slices);
    const revision = this.#revision;
    for (const { driver, devices } of list.isComplete ? [] : slices) {
      for (const device of devices) {
        if (isOver()) yield;
        if (!list.answers.has(device)) list.answers.set(device, yield* judge(selectors, driver, device, isOver));
      }
    }
    list.isComplete ||= revision === this.#revision;
    return list.answers;
  }

  #list(key: string, slices: readonly SliceView[]): Judged {
    const list = this.#lists.get(key) ?? { answers: new WeakMap<Device, Judgement>(), isComplete: false };
    this.#lists.delete(key);
    this.#lists.set(key, list);
    const deviceCount = slices.reduce((sum, { devices }) => sum + devices.length, 0);
    const listsMax = Math.max(1, Math.floor(deviceLimits.answersMax / Math.max(1, deviceCount)));
    for (const oldest of this.#lists.keys()) {
      if (this.#lists.size <= Math.min(listsMax, deviceLimits.listsMax)) break;
      this.#lists.delete(oldest);
    }
    return list;
  }
}
