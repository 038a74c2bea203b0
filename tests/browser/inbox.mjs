// An inbox in a real browser: two tabs of one origin follow it from another, one of them is closed,
// a third opens without a network and goes on when it is back, and a push wakes a service worker. Its push service is here, on loopback, and speaks to Firefox as
// Mozilla's does; what is pushed is encrypted for the browser, which decrypts it.
//
//   node tests/browser/inbox.mjs '{"url": …, "key": …, "member": …, "transport": "WebSocket"}'

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import puppeteer from "puppeteer-core";
import { WebSocketServer } from "ws";

const { url, key, member, transport } = JSON.parse(process.argv[2]);
const inbox = `${url}/v1/notifications/inbox/${member}`;
const PATIENCE = { timeout: 30_000 };

async function ask(method, path, body) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answer = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text && JSON.parse(text);
}

const notify = (number) =>
  ask("POST", "/v1/notifications", { type: "tea.ready", to: [{ member }], data: { n: number } });

// The page of somebody's product. What connects is remembered with the way that it did. Whose
// address ends with #off has no network at first: what it connects to is a port where nobody is.
const page = (token) => `<!doctype html><title>inbox</title><script type="module">
  window.transports = [];
  window.off = location.hash === "#off";
  const { fetch } = window;
  window.fetch = (...all) => (off ? Promise.reject(new TypeError("off")) : fetch(...all));
  for (const name of ["WebSocket", "EventSource"]) {
    const Real = window[name];
    window[name] = class extends Real {
      constructor(url, ...all) {
        super(off ? Object.assign(new URL(url), { host: "127.0.0.1:65535" }) : url, ...all);
        this.addEventListener("open", () => window.transports.push(name));
      }
    };
  }
  const { inbox } = await import("${url}/v1/notifications/live.js");
  window.told = { changes: [], missing: [], states: [], counts: null, kept: null };
  window.stop = inbox({ url: "${inbox}", token: "${token}", on: {
    change: (it) => told.changes.push(it.item?.subject ?? it.change),
    counts: (it) => (told.counts = it),
    kept: ({ counts, changes }) =>
      (told.kept = { counts, subjects: changes.map((it) => it.item?.subject ?? it.change) }),
    missing: (it) => told.missing.push(it),
    state: (it) => told.states.push(it),
  } });
</script>`;

const worker = `addEventListener("push", (event) => event.waitUntil((async () => {
  const told = event.data.json();
  for (const it of await clients.matchAll({ includeUncontrolled: true })) it.postMessage(told);
  await registration.showNotification(told.notification.title);
})()));`;

// The page's server, and the browsers' push service.
async function serve(token) {
  let browser;
  const files = { "/": ["text/html", page(token)], "/worker.js": ["text/javascript", worker] };
  const server = createServer(async (request, response) => {
    const [kind, text] = files[request.url] ?? [];
    if (text) return response.writeHead(200, { "content-type": kind }).end(text);
    if (!request.url.startsWith("/push/")) return response.writeHead(404).end();
    const body = [];
    for await (const chunk of request) body.push(chunk);
    browser.send(JSON.stringify({
      messageType: "notification",
      channelID: request.url.slice("/push/".length),
      version: randomUUID(),
      data: Buffer.concat(body).toString("base64url"),
      headers: { encoding: request.headers["content-encoding"] },
    }));
    response.writeHead(201).end();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const home = `http://127.0.0.1:${server.address().port}`;
  new WebSocketServer({ server }).on("connection", (socket) => {
    browser = socket;
    socket.on("message", (message) => {
      const { messageType, channelID } = JSON.parse(message);
      const say = (more) => socket.send(JSON.stringify({ messageType, status: 200, ...more }));
      if (messageType === "hello") say({ uaid: randomUUID(), use_webpush: true, broadcasts: {} });
      if (messageType === "register") say({ channelID, pushEndpoint: `${home}/push/${channelID}` });
    });
  });
  return home;
}

async function until(tab, what, expected) {
  const read = () => tab.evaluate((what) => window.told?.[what], what);
  const end = Date.now() + PATIENCE.timeout;
  for (;;) {
    const it = await read();
    if (JSON.stringify(it) === JSON.stringify(expected)) return;
    const why = `${what}: ${JSON.stringify(it)}, and not ${JSON.stringify(expected)}`;
    assert.ok(Date.now() < end, why);
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function live(browser, home) {
  const first = await browser.newPage();
  await first.goto(home);
  await until(first, "counts", { unseen: 0, unread: 0 });
  const second = await browser.newPage();
  await second.goto(home);
  await until(second, "counts", { unseen: 0, unread: 0 });
  await notify(1);
  for (const tab of [first, second]) await until(tab, "counts", { unseen: 1, unread: 1 });
  const ways = await Promise.all([first, second].map((it) => it.evaluate(() => transports)));
  assert.deepEqual(ways, [[transport], []], "both tabs share the connection of the first");

  // Whoever had it is gone: the other goes on where it was.
  await first.close();
  await notify(2);
  await until(second, "changes", ["Number 1", "Number 2"]);
  await until(second, "missing", []);
  assert.ok((await second.evaluate(() => transports)).includes(transport));
  await until(second, "counts", { unseen: 2, unread: 2 });
  return offline(browser, home, second);
}

// A page that opens without a network shows what was known last, and goes on when it is back.
async function offline(browser, home, before) {
  await before.close();
  const tab = await browser.newPage();
  await tab.goto(`${home}/#off`);
  const counts = { unseen: 2, unread: 2 };
  await until(tab, "kept", { counts, subjects: ["Number 1", "Number 2"] });
  await tab.waitForFunction(() => told.states.includes("waiting"), PATIENCE);
  assert.deepEqual(await tab.evaluate(() => transports), []);
  await notify(3);
  await tab.evaluate(() => (window.off = false));
  await until(tab, "changes", ["Number 3"]);
  await until(tab, "counts", { unseen: 3, unread: 3 });
  await until(tab, "missing", []);
  return tab;
}

async function push(tab) {
  const { public_key } = await ask("POST", "/v1/notifications/push/keys");
  const subscription = await tab.evaluate(async (applicationServerKey) => {
    window.pushed = [];
    navigator.serviceWorker.addEventListener("message", ({ data }) => pushed.push(data));
    await navigator.serviceWorker.register("/worker.js");
    const { pushManager } = await navigator.serviceWorker.ready;
    return (await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey })).toJSON();
  }, public_key);
  // Null is what a browser says of a subscription that does not expire.
  await ask("POST", `/v1/notifications/push/subscriptions/${member}`, { subscription });
  await ask("PUT", "/v1/notifications/workflows/tea.ready", {
    channels: ["push"],
    template: { subject: "Grüße {{ n }}", markdown: "Der Tee ist **fertig**." },
  });
  await notify(4);
  await tab.waitForFunction(() => window.pushed.length > 0, PATIENCE);
  const [{ notification }] = await tab.evaluate(() => pushed);
  assert.equal(notification.title, "Grüße 4");
  assert.equal(notification.body, "Der Tee ist fertig.");
}

const { token } = await ask("POST", `/v1/notifications/inbox/${member}/links`, {
  expires_in_seconds: 600,
});
const home = await serve(token);
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: "/usr/bin/firefox-esr",
  headless: true,
  extraPrefsFirefox: {
    // Who drives it switches the connection off.
    "dom.push.connection.enabled": true,
    "dom.push.serverURL": home.replace("http", "ws"),
    "dom.push.testing.allowInsecureServerURL": true,
    // Notifications are allowed without asking.
    "permissions.default.desktop-notification": 1,
  },
});
try {
  const tab = await live(browser, home);
  console.log(`live: ${transport}`);
  await push(tab);
  console.log("pushed");
} finally {
  await browser.close();
}
process.exit(0);
