import assert from "node:assert/strict";
import { test } from "node:test";
import { createCrypto } from "./crypto.ts";

const crypto = createCrypto();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");

test("hashes are the published ones", () => {
  assert.equal(hex(crypto.sha256(bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.equal(
    hex(crypto.hmacSha256(bytes("Jefe"), bytes("what do ya want for nothing?"))),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  );
});

test("equality holds for equal bytes only, also of different lengths", () => {
  assert.ok(crypto.equal(bytes("token"), bytes("token")));
  assert.ok(!crypto.equal(bytes("token"), bytes("tokem")));
  assert.ok(!crypto.equal(bytes("token"), bytes("tokens")));
});

test("a signature is 64 bytes and holds for its key and its data only", () => {
  const key = crypto.generateKey();
  const other = crypto.generateKey();
  const signature = crypto.signEs256(key.privateKey, bytes("claims"));
  assert.equal(signature.length, 64);
  assert.ok(crypto.verifyEs256(key.publicKey, bytes("claims"), signature));
  assert.ok(!crypto.verifyEs256(key.publicKey, bytes("claimz"), signature));
  assert.ok(!crypto.verifyEs256(other.publicKey, bytes("claims"), signature));
  assert.ok(!crypto.verifyEs256(key.publicKey, bytes("claims"), signature.subarray(1)));
});
