import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** address is where the console is, with its path: that of `make dev` where nothing else is said. */
export function address(): string {
  return process.env.GUANXI_TEST_CONSOLE ?? 'http://127.0.0.1:8080/console'
}

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge']

/** chromiumPath finds the browser of the machine. */
export function chromiumPath(): string {
  const places = (process.env.PATH ?? '').split(delimiter).flatMap((dir) => names.map((name) => join(dir, name)))
  for (const path of process.env.GUANXI_TEST_CHROMIUM ? [process.env.GUANXI_TEST_CHROMIUM] : places) {
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      continue
    }
  }
  throw new Error('No Chromium is on this machine: install one (Debian: apt-get install chromium), or name it by GUANXI_TEST_CHROMIUM.')
}
