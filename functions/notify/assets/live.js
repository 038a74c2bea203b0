// An inbox as it changes, in a browser: by WebSocket, else by server-sent events, else by calls that
// wait. All tabs share one connection: the one that holds a lock has it, and tells the others.
//
//   const stop = inbox({ url: "https://…/v1/notifications/inbox/mem_…", token,
//     on: { counts(it) {}, change(it) {}, missing(it) {}, state(it) {} } });
//
// `token` is a link's, or a function that gives one. `counts` is how the inbox stands. `change` has a
// sequence, and names the one before it. `missing` says that changes were lost: list the inbox.
// `state` is "open", "waiting" or "refused".

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60000;
const PATIENCE = 10000;
const HEARTBEAT = 25000;

export function inbox({ url, token, on = {} }) {
  const home = new URL(url, location.href).href;
  const tabs = new BroadcastChannel(home);
  const stopped = new AbortController();
  const { signal } = stopped;
  let at = null;
  let wait = FIRST_WAIT;
  let way = 0;
  let standing;

  // Each event comes once to every tab, also when a new leader asks from before it.
  function take(kind, it) {
    if (kind === "change") {
      if (at !== null && it.sequence <= at) return;
      if (at !== null && it.after > at) on.missing?.({ from: at, to: it.after });
      at = it.sequence;
    }
    if (kind === "counts") standing = it;
    on[kind]?.(it);
  }

  function tell(kind, it) {
    take(kind, it);
    tabs.postMessage({ kind, it });
  }

  // A tab that comes later is told how the inbox stands.
  tabs.onmessage = ({ data: { kind, it } }) => {
    if (kind !== "hello") take(kind, it);
    else if (standing) tabs.postMessage({ kind: "counts", it: standing });
  };
  tabs.postMessage({ kind: "hello" });

  function heard(kind, it, place) {
    wait = FIRST_WAIT;
    tell(kind, it);
    at ??= +place;
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

  async function lead() {
    while (!signal.aborted) {
      const query = new URLSearchParams({ link: await (token.call ? token() : token) });
      if (at !== null) query.set("after", at);
      const said = await ways[way](query).catch(() => {});
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
