// Sets theme and language before anything is painted, so that a dark page does not flash white.
;(() => {
  let theme = null
  let language = null
  try {
    theme = localStorage.getItem('guanxi.theme')
    language = localStorage.getItem('guanxi.language')
  } catch {
    // A browser that keeps nothing: its own preferences hold.
  }
  const dark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
  document.documentElement.lang = language ?? (navigator.language.startsWith('zh') ? 'zh-CN' : 'en')
})()
