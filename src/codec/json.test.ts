import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { cloneValue, isEqualValue } from "./record.ts";
import { encodeJson, parseJson, stringifyJson } from "./json.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** `expected` is the document written again, with duplicate keys after it, or the message with its offset. */
function check(input: string | Uint8Array, expected: string): void {
  const result = parseJson(typeof input === "string" ? bytesOf(input) : input);
  const shown = result.ok
    ? stringifyJson(result.value) + result.duplicates.map((path) => ` dup ${path}`).join("")
    : `${result.message} @${result.offset}`;
  assert.equal(shown, expected);
}

test("what is JSON is read", () => {
  check(' {"a" : [1, -2.5e3, true, false, null, "x"]} ', '{"a":[1,-2500,true,false,null,"x"]}');
  check('"\\u0041\\n\\/"', '"A\\n/"');
  check('{"__proto__":{"x":1},"constructor":2}', '{"__proto__":{"x":1},"constructor":2}');
  check("{}", "{}");
});

test("integers are exact as far as 64 bits reach", () => {
  check(
    "[9007199254740991,9007199254740993,-9223372036854775808]",
    "[9007199254740991,9007199254740993,-9223372036854775808]",
  );
  check("[9223372036854775808]", "[9223372036854776000]");
  check(`[${"1".repeat(300)}]`, `[${Number("1".repeat(300))}]`);
  check("1e999", "json: cannot unmarshal number 1e999 into Go value of type float64 @5");
  assert.equal(typeof (parseJson(bytesOf("9007199254740991")) as { value: unknown }).value, "number");
});

test("duplicate keys are named by path, and the last one counts", () => {
  check('{"a":1,"b":[{"c":1,"c":2}],"a":3}', '{"a":3,"b":[{"c":2}]} dup b[0].c dup a');
});

test("objects have no inherited members", () => {
  const result = parseJson(bytesOf("{}"));
  assert.ok(result.ok);
  assert.equal((result.value as Record<string, unknown>)["toString"], undefined);
  assert.equal("constructor" in (result.value as object), false);
});

test("ill-formed text becomes the replacement character, once for each bad byte", () => {
  check('"\\ud800x"', '"\ufffdx"');
  check('"\\ud83d\\ude00"', '"😀"');
  check(Uint8Array.of(34, 0xe2, 0x82, 34), '"\ufffd\ufffd"');
  check(Uint8Array.of(34, 0xff, 65, 34), '"\ufffdA"');
});

test("errors are worded as Go words them", () => {
  check("", "unexpected end of JSON input @0");
  check('{"a":1,}', "invalid character '}' looking for beginning of object key string @7");
  check("[1,]", "invalid character ']' looking for beginning of value @3");
  check('{"a":1 "b"}', "invalid character '\"' after object key:value pair @7");
  check('{"ä":1 x', "invalid character 'x' after object key:value pair @8");
  check("[1 2]", "invalid character '2' after array element @3");
  check('{"a" 1}', "invalid character '1' after object key @5");
  check("truth", "invalid character 't' in literal true (expecting 'e') @3");
  check("01", "invalid character '1' after top-level value @1");
  check("1.x", "invalid character 'x' after decimal point in numeric literal @2");
  check('"a\nb"', "invalid character '\\n' in string literal @2");
  check('"\\x"', "invalid character 'x' in string escape code @2");
  check('"\\u00g0"', "invalid character 'g' in \\u hexadecimal character escape @5");
  check("\ufeff{}", "invalid character '\ufeff' looking for beginning of value @0");
});

test("nesting is bounded, and what is inside the bound can be written again", () => {
  const nested = (depth: number) => '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
  check(nested(10_000), nested(10_000));
  const result = parseJson(bytesOf(nested(10_001)));
  assert.ok(!result.ok);
  assert.equal(result.message, "exceeded max depth");
});

test("hostile documents cost no more than their size", () => {
  const size = 2_000_000;
  const documents: readonly string[] = [
    "1".repeat(size),
    `"${"\\n".repeat(size / 2)}"`,
    `[${"1,".repeat(size / 2)}1]`,
    "[".repeat(size),
    `{${Array.from({ length: size / 20 }, (_, i) => `"key-${i}-x":1`).join()}}`,
    `{${Array.from({ length: size / 20 }, (_, i) => `"${i * 37}":1`).join()}}`,
    `"${"x".repeat(size)}`,
    `[${'"a",'.repeat(size / 4)}"\\ud800"]`,
  ];
  for (const document of documents) {
    const bytes = bytesOf(document);
    // Processor time of this thread: how busy the machine is does not matter.
    const before = process.threadCpuUsage();
    parseJson(bytes);
    const tookMs = process.threadCpuUsage(before).user / 1_000;
    assert.ok(tookMs < 2_000, `${document.slice(0, 20)}… took ${tookMs} ms`);
  }
});

test("copies and comparisons reach as deep as documents", () => {
  const parse = (depth: number) => {
    const result = parseJson(bytesOf('{"a":['.repeat(depth / 2) + "1" + "]}".repeat(depth / 2)));
    assert.ok(result.ok);
    return result.value;
  };
  const value = parse(10_000);
  const copy = cloneValue(value);
  assert.notEqual(copy, value);
  assert.ok(isEqualValue(copy, value));
  assert.equal(isEqualValue(copy, parse(9_998)), false);
  assert.equal(stringifyJson(copy), stringifyJson(value));
  assert.ok(isEqualValue({ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1, d: undefined }));
  assert.equal(isEqualValue({ a: undefined, b: 1 }, { a: 1, b: 1 }), false);
});

test("a million duplicates are no burden", () => {
  const result = parseJson(bytesOf(`{${'"a":1,'.repeat(100_000)}"a":1}`));
  assert.ok(result.ok);
  assert.deepEqual(result.duplicates, ["a"]);
});

test("a value that is kept does not keep the whole document", () => {
  const padding = "x".repeat(1_000_000);
  const kept: unknown[] = [];
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 200; i += 1) {
    const uid = `6f1c7a52-8e0a-4c1b-9d3e-${i.toString().padStart(12, "0")}`;
    const result = parseJson(bytesOf(`{"uid":"${uid}","text":"two\\nlines of ${uid}","padding":"${padding}"}`));
    assert.ok(result.ok);
    const { uid: first, text } = result.value as Record<string, unknown>;
    kept.push(first, text);
  }
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const grown = process.memoryUsage().heapUsed - before;
  assert.ok(grown < 50_000_000, `${kept.length} short strings take ${grown} bytes`);
});

test("any JSON value survives", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const result = parseJson(encodeJson(value));
      assert.ok(result.ok);
      assert.equal(stringifyJson(result.value), JSON.stringify(value));
    }),
  );
});
