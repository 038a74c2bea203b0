// The Worker's entry, and the only JavaScript in the product: it contains panics.
//
// On wasm a panic is an abort. Every future of the isolate is dead after it, and the promise that
// waits for it would never settle: the client would hang. So each call watches the instance that it
// went into, and the first call after an abort makes a new one.

import { DurableObject } from "cloudflare:workers";
import module from "./glue_bg.wasm";
import * as glue from "./glue.js";

glue.initSync({ module });

// How often a call looks whether its instance still lives, in milliseconds. Each call looks for
// itself, because what settles a promise must happen in the request that the promise belongs to:
// rejected from another, the runtime answers in our place.
const WATCH_MS = 50;

// Counts the aborts, so that a call and an object know when their instance is gone.
let generation = 0;
let aborted = false;

function abort(why) {
  if (aborted) return;
  aborted = true;
  generation += 1;
  console.error(`the instance aborted: ${why}`);
}

const isTrap = (error) =>
  error instanceof WebAssembly.RuntimeError || error?.message === "Critical error";

// The panic hook of the `worker` crate sets this flag, in the very call that panics.
Object.defineProperty(globalThis.__worker_init_state, "criticalError", {
  get: () => aborted,
  set: (value) => value && abort("panic"),
});

// Traps that are no panics: a full stack, no memory, a JavaScript exception that Rust cannot catch.
addEventListener("error", ({ error }) => isTrap(error) && abort(error.message));

function revive() {
  if (!aborted) return;
  glue.__wbg_reset_state();
  aborted = false;
  console.warn("made a new instance after an abort");
}

// A promise that rejects when the instance of now is no more, and what ends the watch for that.
function watch() {
  const born = generation;
  let timer;
  const death = new Promise((_, reject) => {
    timer = setInterval(() => {
      if (born === generation) return;
      clearInterval(timer);
      reject(new Error("the instance aborted"));
    }, WATCH_MS);
  });
  return { death, unwatch: () => clearInterval(timer) };
}

// Calls into the instance what answers at once.
function callNow(work) {
  revive();
  try {
    return work();
  } catch (error) {
    if (isTrap(error)) abort(error.message);
    throw error;
  }
}

// Calls into the instance. The promise settles even if the instance does not live to do it.
async function call(work) {
  revive();
  const { death, unwatch } = watch();
  try {
    return await Promise.race([work(), death]);
  } catch (error) {
    if (isTrap(error)) abort(error.message);
    throw error;
  } finally {
    unwatch();
  }
}

// An answer that goes on for long breaks off with its instance, and the client may come again.
function breakable(response) {
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) return response;
  const reader = response.body.getReader();
  const { death, unwatch } = watch();
  const body = new ReadableStream({
    async pull(controller) {
      const { done, value } = await Promise.race([reader.read(), death]);
      if (!done) return controller.enqueue(value);
      unwatch();
      controller.close();
    },
    cancel(reason) {
      unwatch();
      return reader.cancel(reason);
    },
  });
  return new Response(body, response);
}

// The answer when there is none. The log says more than the client may know.
function broken(error) {
  console.error(String(error?.stack ?? error));
  const problem = { type: "/problems/internal", title: "Something broke on our side", status: 500 };
  const headers = { "content-type": "application/problem+json" };
  return new Response(JSON.stringify(problem), { status: 500, headers });
}

// The name of a method that nobody outside of this file calls.
const rust = Symbol("rust");

// A Durable Object whose Rust half is made again after an abort.
const durable = (name) =>
  class extends DurableObject {
    #half;
    #generation = -1;

    [rust]() {
      if (this.#generation !== generation) {
        this.#half = new glue[name](this.ctx, this.env);
        this.#generation = generation;
      }
      return this.#half;
    }

    fetch(request) {
      return call(() => this[rust]().fetch(request)).then(breakable, broken);
    }

    // Nothing is listened to: a client only hears.
    webSocketMessage() {}

    // What a client closes is closed on our side as well (RFC 6455, section 5.5.1).
    webSocketClose(socket, code) {
      socket.close(code === 1005 || code === 1006 ? 1000 : code);
    }

    webSocketError() {}

    // A rejected alarm is tried again by the runtime.
    alarm() {
      return call(() => this[rust]().alarm());
    }
  };

export const TenantObject = durable("TenantObject");

export class Limiter extends durable("Limiter") {
  decide(asked) {
    return callNow(() => this[rust]().decide(asked));
  }
}

// The largest mail that is read, in bytes: what Cloudflare hands over at most.
const MAIL_BYTES_MAX = 25 * 1024 * 1024;

// A mail of Email Routing. What is refused goes back to its sender; where something broke, the error
// makes the server that sent it try again.
async function email(message, env, context) {
  if (message.rawSize > MAIL_BYTES_MAX) {
    await message.setReject("552 5.3.4 A mail has at most 25 MiB");
    return;
  }
  const raw = new Uint8Array(await new Response(message.raw).arrayBuffer());
  const { from, to } = message;
  const refusal = await call(() => glue.mail(raw, from ?? "", to ?? "", env, context));
  // Where the message is a stub, as in local development, this is a call that takes its time.
  if (refusal) await message.setReject(refusal);
}

export default {
  email,
  fetch: (request, env, context) => call(() => glue.fetch(request, env, context)).catch(broken),
  // A rejected batch comes again.
  queue: (batch, env, context) => call(() => glue.queue(batch, env, context)),
  scheduled: (event, env, context) => call(() => glue.scheduled(event, env, context)),
};
