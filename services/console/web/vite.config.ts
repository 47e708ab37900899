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

export default defineConfig({
  base: '/console/',
  plugins: [react(), tailwindcss(), keep],
  build: {
    target: 'es2022',
    manifest: 'manifest.json',
    // Small files as data: URLs would need a wider policy for all but images.
    assetsInlineLimit: 0,
  },
})
