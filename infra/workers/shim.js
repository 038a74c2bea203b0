// The Worker's entry, and the only JavaScript in the product: it contains panics.
//
// On wasm a panic is an abort. Every future of the isolate is dead after it, and the promise that
// waits for it would never settle: the client would hang. So we settle those promises ourselves, and
// make a new instance of the module before the next call.

import { DurableObject } from "cloudflare:workers";
import module from "./glue_bg.wasm";
import * as glue from "./glue.js";

glue.initSync({ module });

// Counts the instances, so that an object knows when its Rust half is gone.
let generation = 0;
let aborted = false;
// What rejects each promise that is waiting for the instance.
const waiting = new Set();

function abort(why) {
  if (aborted) return;
  aborted = true;
  generation += 1;
  const dead = [...waiting];
  waiting.clear();
  for (const reject of dead) reject(new Error(`the instance aborted: ${why}`));
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

// Calls into the instance. The promise settles even if the instance does not live to do it.
function call(work) {
  return new Promise((resolve, reject) => {
    waiting.add(reject);
    const settle = (how) => (value) => {
      waiting.delete(reject);
      how(value);
    };
    try {
      revive();
      work().then(settle(resolve), settle(reject));
    } catch (error) {
      if (isTrap(error)) abort(error.message);
      settle(reject)(error);
    }
  });
}

// The answer when there is none. The log says more than the client may know.
function broken(error) {
  console.error(String(error?.stack ?? error));
  const problem = { type: "/problems/internal", title: "Something broke on our side", status: 500 };
  const headers = { "content-type": "application/problem+json" };
  return new Response(JSON.stringify(problem), { status: 500, headers });
}

// A Durable Object whose Rust half is made again after an abort.
const durable = (name) =>
  class extends DurableObject {
    #half;
    #generation = -1;

    #rust() {
      if (this.#generation !== generation) {
        this.#half = new glue[name](this.ctx, this.env);
        this.#generation = generation;
      }
      return this.#half;
    }

    fetch(request) {
      return call(() => this.#rust().fetch(request)).catch(broken);
    }

    // A rejected alarm is tried again by the runtime.
    alarm() {
      return call(() => this.#rust().alarm());
    }
  };

export const TenantObject = durable("TenantObject");
export const Limiter = durable("Limiter");

export default {
  fetch: (request, env, context) => call(() => glue.fetch(request, env, context)).catch(broken),
  scheduled: (event, env, context) => call(() => glue.scheduled(event, env, context)),
};
