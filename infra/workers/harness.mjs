// Runs the Worker of wrangler.toml on workerd, through Miniflare: for development and for tests.
//
//   node infra/workers/harness.mjs [--persist DIR] [--port N] [--migrations DIR] [--var name=value]… [--public]
//
// Nothing leaves the machine but what the Worker itself fetches; with --public it reaches public
// addresses only, whatever a name resolves to, as on Cloudflare. Standard output has one JSON object
// per line, first {"event":"ready","url":…} or {"event":"error","error":…}. Each line of standard
// input is a command, {"id":1,"cmd":"sql","sql":"select 1"}, and gets one line, {"id":1,"ok":…} or
// {"id":1,"error":…}. When standard input ends, everything stops.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = resolve(fileURLToPath(import.meta.url), "../../..");
const require = createRequire(join(root, "package.json"));
const host = "127.0.0.1";

// Wrangler reads these when it is loaded, below.
process.env.WRANGLER_SEND_METRICS = "false";
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
process.env.WRANGLER_LOG_PATH ??= join(root, "build/wrangler-logs");

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// Ends with one line that says why.
function fail(kind, error) {
  say({ event: "error", kind, error });
  process.exit(1);
}

function options() {
  const string = { type: "string" };
  const { values } = parseArgs({
    options: {
      persist: string,
      port: { ...string, default: "0" },
      migrations: string,
      public: { type: "boolean", default: false },
      var: { ...string, multiple: true, default: [] },
    },
  });
  // Miniflare and the caller may have different working directories in mind.
  const path = (it) => it && resolve(it);
  const pairs = values.var.map((it) => {
    const at = it.indexOf("=");
    if (at < 1) throw new Error(`--var ${it}: expected name=value`);
    return [it.slice(0, at), it.slice(at + 1)];
  });
  return {
    persist: path(values.persist),
    port: Number(values.port),
    migrations: path(values.migrations),
    isPublic: values.public,
    vars: Object.fromEntries(pairs),
  };
}

// Whether the port can be had. workerd's own words for it are a page long.
function isFree(port) {
  return new Promise((answer) => {
    const probe = createServer();
    probe.once("error", () => answer(false));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => answer(true)));
  });
}

// The entry first, then all else that was built beside it.
function modules(entry) {
  const folder = resolve(entry, "..");
  const others = readdirSync(folder, { recursive: true })
    .map((name) => resolve(folder, name))
    .filter((path) => path !== entry && /\.(js|wasm)$/.test(path));
  return [entry, ...others].map((path) =>
    path.endsWith(".wasm")
      ? { type: "CompiledWasm", path, contents: readFileSync(path) }
      : { type: "ESModule", path, contents: readFileSync(path, "utf8") },
  );
}

// What wrangler.toml says, as Miniflare wants it.
function worker({ port, vars, isPublic }) {
  if (!existsSync(join(root, "node_modules/wrangler"))) {
    throw new Error("wrangler is missing: npm ci --ignore-scripts");
  }
  const wrangler = require("wrangler");
  const config = join(root, "wrangler.toml");
  const { workerOptions, main } = wrangler.unstable_getMiniflareWorkerOptions(config);
  const { name } = wrangler.unstable_readConfig({ config }, { hideWarnings: true });
  if (!existsSync(main)) throw new Error(`${main} is missing: cargo xtask build workers`);
  return {
    ...workerOptions,
    name,
    bindings: { ...workerOptions.bindings, ...vars },
    ...(isPublic && {
      outboundService: { network: { allow: ["public"], tlsOptions: { trustBrowserCas: true } } },
    }),
    modulesRoot: resolve(main, ".."),
    modules: modules(main),
    // The Worker's own port. Miniflare's costs half a millisecond more for each request.
    unsafeDirectSockets: [{ host, port }],
  };
}

function persistence(folder) {
  if (!folder) return {};
  return {
    defaultPersistRoot: folder,
    d1Persist: join(folder, "d1"),
    kvPersist: join(folder, "kv"),
    r2Persist: join(folder, "r2"),
    durableObjectsPersist: join(folder, "do"),
    cachePersist: join(folder, "cache"),
  };
}

// Applies what has not been applied. The table is wrangler's own, so both know of each other.
async function migrate(database, folder) {
  const { unstable_splitSqlQuery: split } = require("wrangler");
  await database
    .prepare(
      `create table if not exists d1_migrations (
         id integer primary key autoincrement,
         name text unique,
         applied_at timestamp default current_timestamp not null)`,
    )
    .run();
  const { results } = await database.prepare("select name from d1_migrations").all();
  const applied = new Set(results.map((row) => row.name));
  const files = readdirSync(folder).filter((it) => it.endsWith(".sql") && !applied.has(it));
  for (const name of files.sort()) {
    const statements = split(readFileSync(join(folder, name), "utf8"));
    // One batch, so a file is applied whole or not at all.
    await database.batch([
      ...statements.map((it) => database.prepare(it)),
      database.prepare("insert into d1_migrations (name) values (?1)").bind(name),
    ]);
  }
}

const commands = (runtime) => ({
  async cron({ cron = "* * * * *", time }) {
    const worker = await runtime.getWorker();
    return worker.scheduled({ cron, scheduledTime: time ? new Date(time) : undefined });
  },
  async sql({ db = "DIRECTORY", sql, params = [] }) {
    const statement = (await runtime.getD1Database(db)).prepare(sql);
    return (await (params.length ? statement.bind(...params) : statement).all()).results;
  },
  // A batch straight into the consumer; the answer says what was acknowledged and what comes again.
  async queue({ queue = "backplane-ingest", messages }) {
    const worker = await runtime.getWorker();
    return worker.queue(
      queue,
      messages.map(({ id, attempts = 1, body }) => ({ id, attempts, body, timestamp: new Date() })),
    );
  },
  // A mail to the handler of mails; the answer says whether it was taken.
  async email({ from, to, raw }) {
    const query = new URLSearchParams({ from, to });
    const url = `http://localhost/cdn-cgi/handler/email?${query}`;
    const answer = await runtime.dispatchFetch(url, { method: "POST", body: raw });
    return { status: answer.status, text: await answer.text() };
  },
  async r2_list({ r2 = "BLOBS", ...options }) {
    const { objects } = await (await runtime.getR2Bucket(r2)).list(options);
    return objects.map(({ key, size }) => ({ key, size }));
  },
  async kv_list({ kv = "KV", ...options }) {
    return (await runtime.getKVNamespace(kv)).list(options);
  },
});

async function main() {
  const chosen = options();
  if (chosen.port && !(await isFree(chosen.port))) {
    fail("busy", `port ${chosen.port} of ${host} is in use`);
  }
  const ours = worker(chosen);
  const { Miniflare, Log, LogLevel } = require("miniflare");
  // Standard output is for our lines alone.
  class ErrorLog extends Log {
    log(line) {
      process.stderr.write(line + "\n");
    }
  }
  const runtime = new Miniflare({
    host,
    port: 0,
    cf: false,
    // For the command `email`. Clients do not come by way of these: they have a socket of ours.
    unsafeTriggerHandlers: true,
    log: new ErrorLog(LogLevel.WARN),
    handleRuntimeStdio(out, err) {
      out.pipe(process.stderr);
      err.pipe(process.stderr);
    },
    ...persistence(chosen.persist),
    workers: [ours],
  });
  let stopping;
  const stop = () =>
    (stopping ??= runtime
      .dispose()
      .catch(() => {})
      .then(() => process.exit(0)));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);

  await runtime.ready;
  if (chosen.migrations) {
    await migrate(await runtime.getD1Database("DIRECTORY"), chosen.migrations);
  }
  say({ event: "ready", url: (await runtime.unsafeGetDirectURL(ours.name)).origin });
  await serve(commands(runtime));
  await stop();
}

// Carries out commands in order, until there are no more or one of them is `stop`.
async function serve(known) {
  for await (const line of createInterface({ input: process.stdin })) {
    if (!line.trim()) continue;
    let command = {};
    try {
      command = JSON.parse(line);
      if (command.cmd === "stop") return say({ id: command.id, ok: true });
      if (!Object.hasOwn(known, command.cmd)) throw new Error(`no command ${command.cmd}`);
      say({ id: command.id, ok: (await known[command.cmd](command)) ?? null });
    } catch (error) {
      say({ id: command.id, error: String(error?.message ?? error) });
    }
  }
}

main().catch((error) => {
  process.stderr.write(`${error?.stack ?? error}\n`);
  fail("start", String(error?.message ?? error));
});
