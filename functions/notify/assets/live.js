// An inbox as it changes, in a browser. All tabs share one connection: one of them holds a lock and
// the connection, and tells the others; when it closes, the next one takes over where it was.
//
//   import { inbox } from "/v1/notifications/live.js";
//   const stop = inbox({ url: "/v1/notifications/inbox/mem_…", token,
//     on: { counts(it) {}, change(it) {}, missing(it) {}, state(it) {} } });
//
// `token` is a link's, or a function that gives a new one when the old one has ended. `counts` is
// how the inbox stands. `change` has a sequence, and names the one before it. `missing` says that
// changes were lost: list the inbox again. `state` is "open", "waiting" or "refused".

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60000;

export function inbox({ url, token, on = {} }) {
  const name = `backplane:${url}`;
  const tabs = new BroadcastChannel(name);
  const stopped = new AbortController();
  let at = null;
  let wait = FIRST_WAIT;

  // Each event comes once to every tab, also when a new leader asks from before it.
  function take(kind, it) {
    if (kind === "change") {
      if (at !== null && it.sequence <= at) return;
      if (at !== null && it.after > at) on.missing?.({ from: at, to: it.after });
      at = it.sequence;
    }
    on[kind]?.(it);
  }

  function tell(kind, it) {
    take(kind, it);
    tabs.postMessage({ kind, it });
  }

  tabs.onmessage = ({ data }) => take(data.kind, data.it);

  async function connect() {
    const link = typeof token === "function" ? await token() : token;
    const query = new URLSearchParams({ link });
    if (at !== null) query.set("after", at);
    return new Promise((ended) => {
      const source = new EventSource(`${url}/live?${query}`);
      const close = () => (source.close(), ended());
      const place = (event) => (at === null && event.lastEventId ? (at = +event.lastEventId) : at);
      source.onopen = () => ((wait = FIRST_WAIT), tell("state", "open"));
      source.addEventListener("change", (event) => tell("change", JSON.parse(event.data)));
      source.addEventListener("counts", (event) => (tell("counts", JSON.parse(event.data)), place(event)));
      // A connection ends after some minutes, with the link, or with the network.
      source.onerror = () => (tell("state", source.readyState === 2 ? "refused" : "waiting"), close());
      stopped.signal.addEventListener("abort", close);
    });
  }

  async function lead() {
    while (!stopped.signal.aborted) {
      await connect().catch(() => {});
      // Not all at once, and ever more seldom.
      await new Promise((done) => setTimeout(done, wait * (0.5 + Math.random())));
      wait = Math.min(wait * 2, LONGEST_WAIT);
    }
  }

  navigator.locks.request(name, { signal: stopped.signal }, lead).catch(() => {});
  return () => (stopped.abort(), tabs.close());
}
