import { writeFileSync } from 'node:fs'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

/** keep puts back the file that keeps dist in the repository: a build empties the folder. */
const keep: Plugin = {
  name: 'keep',
  apply: 'build',
  closeBundle: () => writeFileSync(new URL('./dist/.keep', import.meta.url), ''),
}

/** running is the console that the dev server's page talks to: the one of `make dev` where nothing else is said. */
const running = process.env.GUANXI_CONSOLE_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  base: '/console/',
  // Sign in at the running console: its cookie is that of the host, whatever the port.
  server: { host: '127.0.0.1', proxy: { '^/console/(api/|session$|live$|sign-in|sign-out$)': running } },
  plugins: [react(), tailwindcss(), keep],
  build: {
    target: 'es2022',
    manifest: 'manifest.json',
    // Small files as data: URLs would need a wider policy for all but images.
    assetsInlineLimit: 0,
  },
})
