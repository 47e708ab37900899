/** keep remembers a choice on this device. A browser that keeps nothing forgets it with the page. */
export function keep(key: `guanxi.${string}`, value: string) {
  try {
    localStorage.setItem(key, value)
  } catch {
    // It holds until the page is loaded anew.
  }
}
