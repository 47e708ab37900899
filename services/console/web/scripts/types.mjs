// Writes the types of the services' APIs, from their OpenAPI, to src/api/<service>.d.ts.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))

for (const service of ['accounts', 'sales', 'loyalty', 'tickets', 'analytics', 'rollout']) {
  const from = at(`../../../../proto/openapi/${service}.yaml`)
  const to = at(`../src/api/${service}.d.ts`)
  const run = spawnSync(process.execPath, [at('../node_modules/openapi-typescript/bin/cli.js'), from, '-o', to], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (run.status !== 0) process.exit(run.status ?? 1)
}
