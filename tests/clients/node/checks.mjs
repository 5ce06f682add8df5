// Checks are counted, so that a program that leaves some out is found.
import assert from "node:assert/strict";

let made = 0;

export function check(what, holds) {
  made += 1;
  assert.ok(holds, what);
}

export function same(what, ours, theirs) {
  made += 1;
  assert.equal(Buffer.from(ours).toString("hex"), Buffer.from(theirs).toString("hex"), what);
}

// The call fails, with this return value of PKCS #11 if one is named.
export function refused(what, act, code = "") {
  made += 1;
  assert.throws(act, (why) => String(why.message).includes(code), what);
}

export async function rejected(what, act) {
  made += 1;
  await assert.rejects(act, undefined, what);
}

export function finish() {
  console.log(`${made} checks`);
}
