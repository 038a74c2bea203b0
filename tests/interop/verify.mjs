// Checks what we sent with somebody else's code: the library of Standard Webhooks for v1, node's own
// Ed25519 for v1a, http-message-signatures for RFC 9421, jose for a detached JWS. Standard input is a JSON list of
// {kind, key, path, headers, body}; standard output is a JSON list with "ok", or the error, for each.

import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createVerifier, httpbis } from "http-message-signatures";
import { createLocalJWKSet, flattenedVerify } from "jose";
import { Webhook } from "standardwebhooks";

const COVERED = [
  "@method",
  "@target-uri",
  "content-digest",
  "content-type",
  "webhook-id",
  "webhook-timestamp",
];

function publicKeyOf(x) {
  return createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
}

// The key is the tenant's directory: each signature says by its keyid which one made it.
async function checkMessage({ key, path, headers, body }) {
  const digest = createHash("sha256").update(body).digest("base64");
  if (headers["content-digest"] !== `sha-256=:${digest}:`) return "the digest does not fit";
  const keyLookup = async ({ keyid }) => {
    const found = JSON.parse(key).keys.find((it) => it.kid === keyid);
    if (!found) return null;
    const verify = createVerifier(publicKeyOf(found.x), "ed25519");
    return { id: keyid, algs: ["ed25519"], verify };
  };
  const request = { method: "POST", url: `http://${headers.host}${path}`, headers };
  const config = { keyLookup, requiredFields: COVERED, requiredParams: ["created"], all: true };
  const fits = await httpbis.verifyMessage(config, request);
  return fits ? "ok" : "no signature fits";
}

// The key is the tenant's directory, the header the signature without its middle, and the body the
// file in base64.
async function checkFile({ key, headers, body }) {
  const [head, , signature] = headers.signature.split(".");
  const payload = Buffer.from(body, "base64").toString("base64url");
  const keys = createLocalJWKSet(JSON.parse(key));
  await flattenedVerify({ protected: head, payload, signature }, keys, { algorithms: ["EdDSA"] });
  return "ok";
}

async function check(it) {
  const { kind, key, headers, body } = it;
  if (kind === "http_message") return checkMessage(it);
  if (kind === "jws") return checkFile(it);
  if (kind === "v1") {
    new Webhook(key).verify(body, headers);
    return "ok";
  }
  const publicKey = publicKeyOf(key);
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const signatures = headers["webhook-signature"].split(" ").filter((it) => it.startsWith("v1a,"));
  const fits = (it) =>
    verify(null, Buffer.from(signed), publicKey, Buffer.from(it.slice(4), "base64"));
  if (!signatures.some(fits)) throw new Error("no v1a signature fits");
  return "ok";
}

const cases = JSON.parse(readFileSync(0, "utf8"));
const results = cases.map((it) => check(it).catch((error) => String(error)));
process.stdout.write(JSON.stringify(await Promise.all(results)));
