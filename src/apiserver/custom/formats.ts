import { parseDuration, parseTimestamp } from "#cel/scalar-text.ts";
import { parseAddress } from "#cel/library/address-text.ts";

/** Formats of strings that are checked; any other says nothing, as upstream. Each test is linear in the text. */
export const formats: Readonly<Record<string, (value: string) => boolean>> = {
  "date-time": (value) => parseTimestamp(value) !== undefined,
  datetime: (value) => parseTimestamp(value) !== undefined,
  date: (value) => /^\d{4}-\d\d-\d\d$/.test(value) && parseTimestamp(`${value}T00:00:00Z`) !== undefined,
  duration: (value) => parseDuration(value) !== undefined || /^\d+ ?(s|sec|m|min|h|hr|d|day|w|wk)s?$/.test(value),
  uuid: (value) => uuid.test(value),
  uuid3: (value) => uuid.test(value) && value.replaceAll("-", "")[12] === "3",
  uuid4: (value) => uuid.test(value) && value.replaceAll("-", "")[12] === "4",
  uuid5: (value) => uuid.test(value) && value.replaceAll("-", "")[12] === "5",
  ipv4: (value) => parseAddress(value)?.bits === 32,
  ipv6: (value) => parseAddress(value)?.bits === 128,
  cidr: (value) => {
    const [address = "", bits = "", ...rest] = value.split("/");
    const parsed = parseAddress(address);
    return parsed !== undefined && rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= parsed.bits;
  },
  mac: (value) => /^([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$/.test(value),
  email: (value) => /^[^@\s]+@[^@\s]+$/.test(value),
  hostname: (value) =>
    value.length <= 255 && value.split(".").every((part) => /^[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?$/.test(part)),
  uri: (value) => /^[A-Za-z][-+.A-Za-z0-9]*:\S+$/.test(value) || value.startsWith("/"),
  byte: (value) => value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value),
  bsonobjectid: (value) => /^[0-9a-fA-F]{24}$/.test(value),
  hexcolor: (value) => /^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(value),
  rgbcolor: (value) => /^rgb\((\d{1,3}),(\d{1,3}),(\d{1,3})\)$/.test(value),
  "k8s-short-name": (value) => value.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(value),
  "k8s-long-name": (value) =>
    value.length <= 253 && value.split(".").every((part) => /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(part)),
};

const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
