// Signs one webhook of each provider, or two, with an implementation that is not ours, and prints
// it as a line of JSON: tests/tests/interop.rs verifies it, and then spoils it byte by byte.
//
// `by` says whose implementation it was. Where a provider's package only verifies, node's own
// crypto signed, and the package has to agree. `signed` are the headers that must not change,
// `headers` others that come along; `part` is what of the body is signed if that is not all of
// it: `none`, or the text of a part.

import assert from "node:assert/strict";
import crypto from "node:crypto";
import https from "node:https";
import { Readable } from "node:stream";
import zlib from "node:zlib";

import { sign as octokit } from "@octokit/webhooks-methods";
import { LinearWebhookClient } from "@linear/sdk/webhooks";
import { Paddle } from "@paddle/paddle-node-sdk";
import sendgrid from "@sendgrid/eventwebhook";
import { verifyKey as discord } from "discord-interactions";
import forge from "node-forge";
import SnsValidator from "sns-validator";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";
import nacl from "tweetnacl";
import twilio from "twilio/lib/webhooks/webhooks.js";

const now = new Date();
const at = Math.floor(now.getTime() / 1000);
const base = "https://hooks.example.com";
const json = { "content-type": "application/json" };
const node = "node:crypto";

const hmac = (hash, key, text, encoding) =>
  crypto.createHmac(hash, key).update(text).digest(encoding);
const secret = (prefix = "") => prefix + crypto.randomBytes(24).toString("hex");

// crc32 is in node since 20.15; without it, by its definition.
const checksum = zlib.crc32 ?? ((bytes) => {
  let rest = ~0;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (0xedb88320 & -(rest & 1));
  }
  return ~rest >>> 0;
});

function print(recipe, by, secret, body, signed, more = {}) {
  const line = { recipe, by, secret, at, method: "POST", base, path: "/in/src_1", headers: json };
  const bytes = Buffer.from(body).toString("base64");
  console.log(JSON.stringify({ ...line, signed, body: bytes, ...more }));
}

// -- packages that sign ------------------------------------------------------------------------

{
  const key = secret("whsec_");
  const body = JSON.stringify({ id: "evt_1", object: "event", type: "charge.succeeded" });
  const options = { payload: body, secret: key, timestamp: at };
  const header = Stripe.webhooks.generateTestHeaderString(options);
  print("stripe", "stripe", key, body, { "stripe-signature": header });
}
{
  const key = secret();
  const body = JSON.stringify({ action: "opened", issue: { title: "Grüße 🚀" } });
  const signed = { "x-hub-signature-256": await octokit(key, body) };
  const headers = { ...json, "x-github-event": "issues", "x-github-delivery": "d1" };
  print("github", "@octokit/webhooks-methods", key, body, signed, { headers });
}
for (const [recipe, prefix] of [
  ["standard-webhooks", "webhook"], ["gitlab", "webhook"], ["svix", "svix"],
]) {
  const key = "whsec_" + crypto.randomBytes(32).toString("base64");
  const body = JSON.stringify({ type: "order.paid", data: { id: 1 } });
  const signed = {
    [`${prefix}-id`]: "msg_1",
    [`${prefix}-timestamp`]: String(at),
    [`${prefix}-signature`]: new Webhook(key).sign("msg_1", now, body),
  };
  print(recipe, "standardwebhooks", key, body, signed);
}
{
  const key = secret();
  const params = { CallSid: "CA123", Digits: "1 2&3", From: "+12349013030", Body: "Grüße" };
  const path = "/in/src_1?foo=1&bar=2";
  const header = twilio.getExpectedTwilioSignature(key, base + path, params);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const signed = { "x-twilio-signature": header };
  const body = new URLSearchParams(params).toString();
  print("twilio", "twilio", key, body, signed, { path, headers });
}
{
  const key = secret();
  const body = JSON.stringify({ property: "value", boolean: true });
  const path = `/in/src_1?foo=1&bodySHA256=${twilio.getExpectedBodyHash(body)}`;
  const header = twilio.getExpectedTwilioSignature(key, base + path, {});
  print("twilio", "twilio", key, body, { "x-twilio-signature": header }, { path });
}
{
  const pair = nacl.sign.keyPair();
  const body = JSON.stringify({ id: "1", type: 2, data: { name: "weather" } });
  const hex = (bytes) => Buffer.from(bytes).toString("hex");
  const header = hex(nacl.sign.detached(Buffer.from(at + body), pair.secretKey));
  const key = hex(pair.publicKey);
  assert(await discord(body, header, String(at), key));
  const signed = { "x-signature-ed25519": header, "x-signature-timestamp": String(at) };
  for (const recipe of ["discord", "discord-events"]) {
    print(recipe, "tweetnacl, discord-interactions agrees", key, body, signed);
  }
  const plain = hex(nacl.sign.detached(Buffer.from(body), pair.secretKey));
  print("generic-ed25519", "tweetnacl", key, body, { "x-signature": plain });
}

// -- node signs, and the provider's package agrees ---------------------------------------------

{
  const key = secret("pdl_ntfset_");
  const body = JSON.stringify({ event_id: "evt_1", event_type: "transaction.paid" });
  const header = `ts=${at};h1=${hmac("sha256", key, `${at}:${body}`, "hex")}`;
  assert(await new Paddle("no key").webhooks.isSignatureValid(body, key, header));
  const by = `${node}, @paddle/paddle-node-sdk agrees`;
  print("paddle", by, key, body, { "paddle-signature": header });
}
{
  const key = secret("lin_wh_");
  const body = JSON.stringify({ type: "Issue", action: "create", webhookTimestamp: now.getTime() });
  const header = hmac("sha256", key, body, "hex");
  assert(new LinearWebhookClient(key).verify(Buffer.from(body), header, now.getTime()));
  const headers = { ...json, "linear-delivery": "d1" };
  const by = `${node}, @linear/sdk agrees`;
  print("linear", by, key, body, { "linear-signature": header }, { headers });
}
{
  const pair = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const body = JSON.stringify([{ email: "a@example.com", event: "delivered" }]) + "\r\n";
  const header = crypto.sign("sha256", Buffer.from(at + body), pair.privateKey).toString("base64");
  const key = pair.publicKey.export({ type: "spki", format: "der" }).toString("base64");
  const events = new sendgrid.EventWebhook();
  assert(events.verifySignature(events.convertPublicKeyToECDSA(key), body, header, String(at)));
  const signed = {
    "x-twilio-email-event-webhook-signature": header,
    "x-twilio-email-event-webhook-timestamp": String(at),
  };
  const pem = pair.publicKey.export({ type: "spki", format: "pem" }).trim();
  for (const written of [key, pem]) {
    print("sendgrid", `${node}, @sendgrid/eventwebhook agrees`, written, body, signed);
  }
}

// -- node signs, as the provider's documents say -----------------------------------------------

{
  const pair = crypto.generateKeyPairSync("ed25519");
  const body = JSON.stringify({ type: "order.paid" });
  const signature = crypto.sign(null, Buffer.from(`msg_1.${at}.${body}`), pair.privateKey);
  const raw = Buffer.from(pair.publicKey.export({ format: "jwk" }).x, "base64url");
  const signed = {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(at),
    "webhook-signature": `v1a,${signature.toString("base64")}`,
  };
  print("standard-webhooks-v1a", node, "whpk_" + raw.toString("base64"), body, signed);
}
{
  const key = secret();
  const body = "token=t&command=%2Fweather&text=94070";
  const signed = {
    "x-slack-request-timestamp": String(at),
    "x-slack-signature": "v0=" + hmac("sha256", key, `v0:${at}:${body}`, "hex"),
  };
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  print("slack", node, key, body, signed, { headers });
}
{
  const key = secret();
  const body = JSON.stringify({ id: 820982911946154500, currency: "USD" });
  const signed = { "x-shopify-hmac-sha256": hmac("sha256", key, body, "base64") };
  const headers = { ...json, "x-shopify-webhook-id": "w1", "x-shopify-topic": "orders/create" };
  print("shopify", node, key, body, signed, { headers });
}
{
  const key = secret();
  const body = JSON.stringify({ type: "zen:event-type:ticket.created", id: "1" });
  const time = now.toISOString();
  const signed = {
    "x-zendesk-webhook-signature": hmac("sha256", key, time + body, "base64"),
    "x-zendesk-webhook-signature-timestamp": time,
  };
  print("zendesk", node, key, body, signed);
}
{
  const key = secret();
  const body = JSON.stringify({ type: "notification_event", topic: "user.created", id: "n1" });
  print("intercom", node, key, body, { "x-hub-signature": "sha1=" + hmac("sha1", key, body, "hex") });
}
{
  const key = secret();
  const body = JSON.stringify([{ eventId: 1, subscriptionType: "contact.creation" }]);
  const time = String(now.getTime());
  const text = `POST${base}/in/src_1${body}${time}`;
  const signed = {
    "x-hubspot-signature-v3": hmac("sha256", key, text, "base64"),
    "x-hubspot-request-timestamp": time,
  };
  print("hubspot", node, key, body, signed);
}
{
  const key = secret();
  const token = crypto.randomBytes(25).toString("hex");
  const signature = { timestamp: String(at), token, signature: hmac("sha256", key, at + token, "hex") };
  const body = JSON.stringify({ signature, "event-data": { event: "opened", id: "e1" } });
  print("mailgun", node, key, body, {}, { part: `"signature":${JSON.stringify(signature)}` });
}
{
  const key = secret();
  const body = JSON.stringify({ object: "page", entry: [] });
  print("meta", node, key, body, { "x-hub-signature-256": "sha256=" + hmac("sha256", key, body, "hex") });
}
{
  const key = secret();
  const body = JSON.stringify({ for_user_id: "1", favorite_events: [] });
  const signed = { "x-twitter-webhooks-signature": "sha256=" + hmac("sha256", key, body, "base64") };
  print("x", node, key, body, signed);
}
{
  const key = secret();
  const body = JSON.stringify({ event: "meeting.started", payload: {} });
  const signed = {
    "x-zm-request-timestamp": String(at),
    "x-zm-signature": "v0=" + hmac("sha256", key, `v0:${at}:${body}`, "hex"),
  };
  print("zoom", node, key, body, signed);
}
{
  const key = secret();
  const body = "any bytes: \u0000\u0001é";
  print("generic-hmac", node, key, body, { "x-signature": hmac("sha256", key, body, "hex") });
}
{
  const key = `user:${secret()}`;
  const signed = { authorization: `Basic ${Buffer.from(key).toString("base64")}` };
  for (const recipe of ["basic", "postmark"]) {
    print(recipe, node, key, JSON.stringify({ RecordType: "Bounce" }), signed, { part: "none" });
  }
}
{
  const key = secret();
  const body = JSON.stringify({ object_kind: "push" });
  print("gitlab-token", node, key, body, { "x-gitlab-token": key }, { part: "none" });
  const headers = { ...json, "ce-id": "1", "ce-type": "com.example.made" };
  const signed = { authorization: `Bearer ${key}` };
  print("cloudevents", node, key, body, signed, { headers, part: "none" });
}

// -- node signs by a key whose certificate node-forge makes --------------------------------------

{
  const pair = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = (key, type) => key.export({ type, format: "pem" });
  const issued = (subject, key, issuer, issuerKey, extensions) => {
    const certificate = forge.pki.createCertificate();
    certificate.publicKey = forge.pki.publicKeyFromPem(pem(key.publicKey, "spki"));
    certificate.serialNumber = "01";
    certificate.validity.notBefore = new Date(now.getTime() - 86_400_000);
    certificate.validity.notAfter = new Date(now.getTime() + 86_400_000);
    certificate.setSubject([{ name: "commonName", value: subject }]);
    certificate.setIssuer([{ name: "commonName", value: issuer }]);
    certificate.setExtensions(extensions);
    const by = forge.pki.privateKeyFromPem(pem(issuerKey.privateKey, "pkcs1"));
    certificate.sign(by, forge.md.sha256.create());
    return forge.pki.certificateToPem(certificate);
  };
  const authority = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
  const usage = [{ name: "basicConstraints", cA: true, critical: true }];
  const roots = issued("root", authority, "root", authority, usage);
  const name = "messageverificationcerts.sandbox.paypal.com";
  const names = [{ name: "subjectAltName", altNames: [{ type: 2, value: name }] }];
  const certificate = issued(name, pair, "root", authority, names);

  const webhook = "8PT597110X687430LKGECATA";
  const body = JSON.stringify({ id: "WH-1", event_type: "PAYMENT.SALE.COMPLETED" });
  const id = crypto.randomUUID();
  const time = now.toISOString().replace(/\.\d+Z/, "Z");
  const text = `${id}|${time}|${webhook}|${checksum(Buffer.from(body))}`;
  const signed = {
    "paypal-transmission-id": id,
    "paypal-transmission-time": time,
    "paypal-transmission-sig": crypto.sign("sha256", Buffer.from(text), pair.privateKey).toString("base64"),
    "paypal-cert-url": "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
  };
  const by = `${node}, certificates by node-forge`;
  print("paypal", by, webhook, body, signed, { certificate, roots });

  // Its certificate comes without those in between. AWS's own package has to agree.
  const regional = "sns.eu-west-1.amazonaws.com";
  const alt = [{ name: "subjectAltName", altNames: [{ type: 2, value: "sns.amazonaws.com" }] }];
  const leaf = issued("sns.amazonaws.com", pair, "root", authority, alt);
  https.get = (_, answer) => {
    answer(Object.assign(Readable.from([leaf]), { statusCode: 200 }));
    return { on() {} };
  };
  const topic = "arn:aws:sns:eu-west-1:123456789012:ses-feedback";
  const bounce = { notificationType: "Bounce", bounce: { bounceType: "Permanent" } };
  const common = { TopicArn: topic, Timestamp: now.toISOString(), SignatureVersion: "2",
    SigningCertURL: `https://${regional}/SimpleNotificationService-1.pem` };
  const messages = [
    { Type: "Notification", Message: JSON.stringify(bounce), MessageId: crypto.randomUUID() },
    { Type: "Notification", Subject: "An alarm", Message: "two\nlines, ü and \"\\",
      MessageId: crypto.randomUUID() },
  ];
  for (const it of messages) {
    const message = { ...it, ...common };
    const names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
    const there = names.filter((name) => name in message);
    const text = there.map((name) => `${name}\n${message[name]}\n`).join("");
    message.Signature = crypto.sign("sha256", Buffer.from(text), pair.privateKey).toString("base64");
    const agreed = new Promise((resolve, reject) =>
      new SnsValidator().validate({ ...message }, (err) => (err ? reject(err) : resolve())));
    await agreed;
    const headers = { "content-type": "text/plain; charset=UTF-8" };
    const more = { certificate: leaf, roots, headers };
    print("sns", `${by}, and sns-validator agrees`, topic, JSON.stringify(message), {}, more);
  }
}
