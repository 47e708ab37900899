import { address, chromiumPath } from './machine'

/** The tests say at once, and once, what they miss. */
export default async function setup() {
  chromiumPath()
  const page = await fetch(`${address()}/`).catch(() => null)
  if (!page?.ok) throw new Error(`No console answers at ${address()}: "make test-console" starts one, GUANXI_TEST_CONSOLE names one that runs.`)
  if (!(await page.text()).includes('id="root"')) throw new Error(`The console at ${address()} was built without its page: "make console" builds it.`)
}
