// Checks what we sent with somebody else's code: the library of Standard Webhooks for v1, node's own
// Ed25519 for v1a. Standard input is a JSON list of {kind, key, headers, body}; standard output is
// a JSON list with "ok", or the error, for each.

import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

function check({ kind, key, headers, body }) {
  if (kind === "v1") {
    new Webhook(key).verify(body, headers);
    return "ok";
  }
  const publicKey = createPublicKey({
    format: "jwk",
    key: { kty: "OKP", crv: "Ed25519", x: key },
  });
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const signatures = headers["webhook-signature"].split(" ").filter((it) => it.startsWith("v1a,"));
  const fits = (it) =>
    verify(null, Buffer.from(signed), publicKey, Buffer.from(it.slice(4), "base64"));
  if (!signatures.some(fits)) throw new Error("no v1a signature fits");
  return "ok";
}

const cases = JSON.parse(readFileSync(0, "utf8"));
const results = cases.map((it) => {
  try {
    return check(it);
  } catch (error) {
    return String(error);
  }
});
process.stdout.write(JSON.stringify(results));
