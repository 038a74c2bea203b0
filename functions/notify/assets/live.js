// An inbox as it changes, in a browser: by WebSocket, else by server-sent events, else by calls that
// wait. All tabs share one connection: the one that holds a lock has it, and tells the others.
//
//   const stop = inbox({ url: "https://…/v1/notifications/inbox/mem_…", token,
//     on: { counts(it) {}, change(it) {}, missing(it) {}, state(it) {} } });
//
// `token` is a link's, or a function that gives one. `counts` is how the inbox stands. `change` has a
// sequence, and names the one before it. `missing` says that changes were lost: list the inbox.
// `state` is "open", "waiting" or "refused".
//
// With `kept` among them, what is known is kept in `store`, which is `localStorage` if it is left
// out: the counts, the place, and the latest 100 changes. A page that opens is told of that first,
// also without a network, as `kept({ counts, changes })`, and goes on from that place when there is
// one. What is refused is forgotten. For who opens without a network a service worker has the page
// and this file.

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60000;
const PATIENCE = 10000;
const HEARTBEAT = 25000;
const KEPT = 100;

export function inbox({ url, token, on = {}, store }) {
  const home = new URL(url, location.href).href;
  const tabs = new BroadcastChannel(home);
  const stopped = new AbortController();
  const { signal } = stopped;
  let wait = FIRST_WAIT;
  let way = 0;
  let known = { at: null, changes: [] };

  // A browser may have no store for us, or a full one.
  function keep(act) {
    try {
      if (on.kept) act(store ?? localStorage);
    } catch {}
  }

  keep((it) => {
    const kept = JSON.parse(it.getItem(home));
    if (Number.isInteger(kept?.at) && Array.isArray(kept.changes)) known = kept;
  });
  if (known.at !== null) on.kept(known);

  // Each event comes once to every tab, also when a new leader asks from before it.
  function take(kind, it) {
    if (kind === "change") {
      const { at } = known;
      if (at !== null && it.sequence <= at) return;
      if (at !== null && it.after > at) {
        on.missing?.({ from: at, to: it.after });
        known.changes = [];
      }
      known.at = it.sequence;
      known.changes = [...known.changes, it].slice(-KEPT);
    }
    if (kind === "counts") known.counts = it;
    on[kind]?.(it);
  }

  function tell(kind, it) {
    take(kind, it);
    tabs.postMessage({ kind, it });
  }

  // A tab that comes later is told how the inbox stands.
  tabs.onmessage = ({ data: { kind, it } }) => {
    if (kind !== "hello") take(kind, it);
    else if (known.counts) tabs.postMessage({ kind: "counts", it: known.counts });
  };
  tabs.postMessage({ kind: "hello" });

  function heard(kind, it, place) {
    wait = FIRST_WAIT;
    tell(kind, it);
    known.at ??= +place;
    keep((store) => store.setItem(home, JSON.stringify(known)));
  }

  // Each ends with whether anything was heard. Who cannot have one has the next.
  const ways = [
    (query) =>
      follow(new WebSocket(`${home.replace(/^http/, "ws")}/live?${query}`), (it, hear, end) => {
        const beat = setInterval(() => it.send("ping"), HEARTBEAT);
        it.onmessage = ({ data }) => {
          const { event, data: told, id } = data === "pong" ? {} : JSON.parse(data);
          hear(2.5 * HEARTBEAT, event, told, id);
        };
        it.onclose = () => (clearInterval(beat), end());
      }),
    (query) =>
      follow(new EventSource(`${home}/live?${query}`), (it, hear, end) => {
        for (const kind of ["change", "counts"])
          it.addEventListener(kind, (event) => hear(0, kind, JSON.parse(event.data), event.lastEventId));
        it.onerror = end;
      }),
    async (query) => {
      const answer = await fetch(`${home}/changes?${query}&wait_seconds=25`, { signal });
      if (!answer.ok) return answer.status < 500 && "refused";
      const { items, after, ...counts } = await answer.json();
      tell("state", "open");
      items.forEach((it) => heard("change", it));
      heard("counts", counts, after);
      return true;
    },
  ];

  // Follows a connection until it ends, or nothing is heard of it for too long.
  function follow(connection, listen) {
    return new Promise((ended) => {
      let open = false;
      let timer;
      const end = () => (clearTimeout(timer), connection.close(), ended(open));
      const hear = (quiet, kind, ...it) => {
        clearTimeout(timer);
        if (quiet) timer = setTimeout(end, quiet);
        if (!open) tell("state", "open");
        open = true;
        if (kind) heard(kind, ...it);
      };
      timer = setTimeout(end, PATIENCE);
      listen(connection, hear, end);
      signal.addEventListener("abort", end);
    });
  }

  async function ask() {
    const query = new URLSearchParams({ link: await (token.call ? token() : token) });
    if (known.at !== null) query.set("after", known.at);
    return ways[way](query);
  }

  async function lead() {
    while (!signal.aborted) {
      const said = await ask().catch(() => {});
      if (said === "refused") keep((it) => it.removeItem(home));
      if (way < 2 || said !== true) tell("state", said === "refused" ? said : "waiting");
      if (said !== true) way = (way + 1) % 3;
      // Not all at once, and ever more seldom.
      await new Promise((done) => setTimeout(done, wait * (0.5 + Math.random())));
      wait = Math.min(wait * 2, LONGEST_WAIT);
    }
  }

  navigator.locks.request(home, { signal }, lead).catch(() => {});
  return () => (stopped.abort(), tabs.close());
}
