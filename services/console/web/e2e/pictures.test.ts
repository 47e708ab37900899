import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { address, languages, settled, signIn, themes } from './kit'
import { placesOf } from './places'

/** folder is where pictures of every page go, to be looked at. Without it none are taken. */
const folder = process.env.GUANXI_TEST_PICTURES ?? ''

const sizes = { desk: { width: 1440, height: 900 }, telephone: { width: 390, height: 844 } }

const looks = languages.flatMap((language) => themes.map((theme) => [language, theme] as const))

test.skipIf(!folder).each(looks)('a picture of every page (%s, %s)', { timeout: 900_000 }, async (language, theme) => {
  for (const [size, viewport] of Object.entries(sizes))
    for (const tenant of ['pizza', 'music'] as const) {
      await using visit = await signIn('admin', { language, theme, viewport, tenant })
      const { page } = visit
      const into = join(folder, `${size}-${language}-${theme}`)
      mkdirSync(into, { recursive: true })
      for (const place of await placesOf(page, tenant)) {
        await page.goto(`${address()}/${place.path}`)
        await page.locator('main').waitFor()
        await settled(page)
        await place.open?.(page, language)
        await settled(page)
        await page.screenshot({ path: join(into, `${place.name}.png`) })
        // What has to be scrolled to is on a second picture.
        const whole = await page.evaluate(() => Math.max(document.documentElement.scrollHeight, document.querySelector('main')!.scrollHeight + 56))
        if (whole <= viewport.height + 40) continue
        await page.setViewportSize({ width: viewport.width, height: Math.min(whole, 6000) })
        await page.screenshot({ path: join(into, `${place.name}-whole.png`) })
        await page.setViewportSize(viewport)
      }
    }
})
