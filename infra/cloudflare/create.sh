#!/usr/bin/env bash
# Makes on Cloudflare what wrangler.toml names: the directory in D1, its cache in KV, the
# bucket, the queues, the secrets.
#
#   npx wrangler login                  # or CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID
#   infra/cloudflare/create.sh
#
# What is already there is left as it is, so it can be run again. A Durable Object needs no making:
# it is there when it is first asked for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export WRANGLER_SEND_METRICS=false
wrangler=node_modules/.bin/wrangler
config=wrangler.toml
database=backplane-directory
namespace=backplane-kv
bucket=backplane-blobs
queue=backplane-ingest

say() { printf '\n%s\n' "$*"; }

# field JSON WHERE IS WANTED: of the first object whose field WHERE is IS, the field WANTED.
field() {
  node -e '
    const [json, where, is, wanted] = process.argv.slice(1);
    // What wrangler says before the list is not JSON.
    const list = JSON.parse(json.slice(json.indexOf("[")));
    console.log(list.find((it) => it[where] === is)?.[wanted] ?? "");
  ' "$@"
}

# put KEY ID: the id in wrangler.toml becomes the real one.
put() {
  local written
  written=$(sed "s|^$1 = \".*\"|$1 = \"$2\"|" "$config")
  printf '%s\n' "$written" >"$config"
  echo "$config: $1 = \"$2\""
}

if [[ ! -x $wrangler ]]; then
  echo "wrangler is not installed: npm ci --ignore-scripts" >&2
  exit 1
fi
"$wrangler" whoami

say "1. The directory, a D1 database: $database"
id=$(field "$("$wrangler" d1 list --json)" name "$database" uuid)
if [[ -z $id ]]; then
  "$wrangler" d1 create "$database" --update-config=false
  id=$(field "$("$wrangler" d1 list --json)" name "$database" uuid)
fi
put database_id "$id"

say "2. The directory's tables"
"$wrangler" d1 migrations apply "$database" --remote

say "3. The cache in front of it, a KV namespace: $namespace"
id=$(field "$("$wrangler" kv namespace list)" title "$namespace" id)
if [[ -z $id ]]; then
  "$wrangler" kv namespace create "$namespace" --update-config=false
  id=$(field "$("$wrangler" kv namespace list)" title "$namespace" id)
fi
put id "$id"

say "4. The bucket of what is too large for a row: $bucket"
if ! "$wrangler" r2 bucket info "$bucket" >/dev/null 2>&1; then
  "$wrangler" r2 bucket create "$bucket" --update-config=false
fi

say "5. The queue of what is taken in later, and that of what could not be: $queue"
for name in "$queue" "$queue-dead"; do
  if ! "$wrangler" queues info "$name" >/dev/null 2>&1; then
    "$wrangler" queues create "$name"
  fi
done

say "6. The module, so that there is something to have secrets"
cargo xtask build workers
"$wrangler" deploy

say "7. The secrets. One that is there is never replaced: with another sealing key, what was sealed"
echo "   with the old one could not be opened any more."
known=$("$wrangler" secret list --format json)
if [[ -z $(field "$known" name operator_key name) ]]; then
  operator_key="bpo_$(openssl rand -hex 32)"
  printf '%s' "$operator_key" | "$wrangler" secret put operator_key
  echo "   operator_key, shown this once: $operator_key"
fi
if [[ -z $(field "$known" name sealing_keys name) ]]; then
  sealing_keys="k1:$(openssl rand -base64 32)"
  printf '%s' "$sealing_keys" | "$wrangler" secret put sealing_keys
  echo "   sealing_keys, shown this once: $sealing_keys"
fi
echo "   Keep both where you keep such things; nobody can read them back from Cloudflare."

say "Done. Commit $config: the ids in it are no secrets."
