package edge

import "net/http"

// policy lets the page load from its own origin only. Styles may be set on elements, which tables and plots need to place what they
// show; scripts may stand in files only.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

const (
	sessionCookie = "guanxi-session"
	signInCookie  = "guanxi-sign-in"
)

func (e *Edge) secure() bool { return e.cfg.URL.Scheme == "https" }

// harden sets what every answer of the console has.
func (e *Edge) harden(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	if e.secure() {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// cookieName has the prefix by which browsers refuse the cookie from lines that are not secure.
func (e *Edge) cookieName(name string) string {
	if e.secure() {
		return "__Secure-" + name
	}
	return name
}

// setCookie sets a cookie that no script can read and no other site can make the browser send with a change; for how many seconds,
// negative to take it away.
func (e *Edge) setCookie(w http.ResponseWriter, name, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure is off on loopback over http only: the configuration is held to that
		Name: e.cookieName(name), Value: value, Path: Prefix, MaxAge: seconds, HttpOnly: true, Secure: e.secure(), SameSite: http.SameSiteLaxMode,
	})
}
