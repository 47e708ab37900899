// Fails when the first page needs more JavaScript than the budget: the entry, what it imports at once, and what a page below
// src/pages loads on top of it, compressed with gzip as the console sends it. Any page may be the first one.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const budget = 250_000 // bytes

const dist = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('manifest.json', dist), 'utf8'))

/** needed gives the files of a chunk and of all that it imports at once. */
function needed(name, files = new Set()) {
  const chunk = manifest[name]
  if (!chunk || files.has(chunk.file)) return files
  files.add(chunk.file)
  for (const other of chunk.imports ?? []) needed(other, files)
  return files
}

const size = (files) => [...files].reduce((sum, file) => sum + gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length, 0)

let largest = 0
for (const name of Object.keys(manifest).filter((name) => name.startsWith('src/pages/'))) {
  const bytes = size(needed(name, needed('index.html')))
  largest = Math.max(largest, bytes)
  console.log(`${(bytes / 1000).toFixed(1).padStart(7)} kB of JavaScript, compressed, when ${name} is opened first`)
}
if (largest === 0) throw new Error('no page was found in the manifest of the build')
if (largest > budget) {
  console.error(`the first page may have ${budget / 1000} kB of JavaScript, compressed`)
  process.exit(1)
}
