import assert from "node:assert/strict";
import { test } from "node:test";
import { stringifyJson } from "./json.ts";
import { parseYaml, stringifyYaml } from "./yaml.ts";

function check(input: string, expected: string): void {
  const result = parseYaml(input);
  assert.equal(result.ok ? result.documents.map(stringifyJson).join(" --- ") : result.message, expected);
}

test("plain scalars mean what YAML 1.1 says, in Go's dialect", () => {
  check(
    "a: yes\nb: 0644\nc: ~\nd: 'yes'\ne: 1e3\nf: 08\ng: 1_000\nh: 2001-01-01\ni: 0x1F\nj: off",
    ['{"a":true,"b":420,"c":null,"d":"yes","e":1000,"f":8,"g":1000,"h":"2001-01-01","i":31,"j":false}'].join(""),
  );
  check("a: 9223372036854775807", '{"a":9223372036854775807}');
  check("a: !!str 1\nb: 1.2.3\nc: 12:30", '{"a":"1","b":"1.2.3","c":"12:30"}');
});

test("documents, keys and merges", () => {
  check("a: 1\n---\nb: 2\n---\n# nothing\n", '{"a":1} --- {"b":2}');
  check("1: a\ntrue: b\n__proto__: c", '{"1":"a","true":"b","__proto__":"c"}');
  check("x: &x {k: 1, l: 2}\nz:\n  <<: *x\n  l: 3", '{"x":{"k":1,"l":2},"z":{"l":3,"k":1}}');
  const twice = parseYaml("a: 1\na: 2\n");
  assert.ok(twice.ok);
  assert.deepEqual(twice.duplicates, ['line 2: key "a" already set in map']);
});

test("hostile documents are turned away in time", () => {
  let bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (let i = 1; i < 9; i += 1)
    bomb += `a${i}: &a${i} [${Array.from({ length: 9 }, () => `*a${i - 1}`).join(", ")}]\n`;
  check(bomb, "yaml: document contains excessive aliasing");
  check("[".repeat(100_000), "yaml: exceeded max depth");
  check("- ".repeat(100_000), "yaml: exceeded max depth");
  check("a: &a [*a]", "yaml: anchor 'a' value contains itself");
  check("a: ".padEnd(1_100_000, "x"), "yaml: document is too large");
  check(`{"a": "${"x".repeat(1_100_000)}"}`, `{"a":"${"x".repeat(1_100_000)}"}`);
  check("a: *b", "yaml: unknown anchor 'b' referenced");
});

test("what is written is read again as the same", () => {
  const value = {
    a: "yes",
    b: "0644",
    c: [1, { d: null }],
    e: "x\ny\n",
    f: "1e3",
    g: "2001-01-01",
    h: "",
    i: "~",
    j: "y",
    k: "012",
  };
  check(stringifyYaml(value), JSON.stringify(value));
});
