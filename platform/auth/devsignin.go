package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	codeTTL    = time.Minute
	refreshTTL = 12 * time.Hour
	maxCodes   = 1000 // a development machine never has so many at once
)

// DevTenants are the tenants that the development sign-in offers: those of the demo data.
func DevTenants() []string { return []string{"pizza", "music"} }

// DevUnit is the unit of the organisation in which the people of the development sign-in work: one that the demo data's rollout has gone
// live in.
const DevUnit = "centre"

// devRoles are the roles that it offers, in the order of the page.
func devRoles() []string {
	return []string{RoleAgent, RoleSales, RoleManager, RoleMarketing, RoleOperations, RoleAdmin}
}

// grant is what somebody agreed to on the sign-in page, until the code for it is used or too old.
type grant struct {
	client, redirect, challenge, nonce string
	who                                TokenRequest
	until                              time.Time
}

// grants keeps codes in memory: they live for a minute, and a restart costs one more click.
type grants struct {
	mu   sync.Mutex
	open map[string]grant
}

func (g *grants) put(code string, one grant, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil || len(g.open) >= maxCodes {
		g.open = map[string]grant{}
	}
	for old, what := range g.open {
		if now.After(what.until) {
			delete(g.open, old)
		}
	}
	g.open[code] = one
}

// take gives what the code stands for, once.
func (g *grants) take(code string, now time.Time) (grant, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	one, ok := g.open[code]
	delete(g.open, code)
	return one, ok && now.Before(one.until)
}

// authorize answers GET {URL}/authorize: the page of choices, and with a role and a tenant the way back with a code.
func (d *DevIssuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case err != nil || back.Host == "" || !Loopback(back.Host):
		d.refuse(w, http.StatusBadRequest, "redirect_uri must be a URL on loopback.")
		return
	case q.Get("client_id") == "" || q.Get("response_type") != "code":
		d.refuse(w, http.StatusBadRequest, "Send client_id and response_type=code.")
		return
	case q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != base64.RawURLEncoding.EncodedLen(sha256.Size):
		d.refuse(w, http.StatusBadRequest, "Send code_challenge with code_challenge_method=S256.")
		return
	}
	role, tenant := q.Get("role"), q.Get("tenant")
	if role == "" && tenant == "" {
		d.signInPage(w, q)
		return
	}
	if !slices.Contains(devRoles(), role) || !slices.Contains(DevTenants(), tenant) {
		d.refuse(w, http.StatusBadRequest, "The role or the tenant is none of those on the page.")
		return
	}
	code := rand.Text()
	d.grants.put(code, grant{
		client: q.Get("client_id"), redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), nonce: q.Get("nonce"),
		who: TokenRequest{Subject: role, Tenant: tenant, Roles: []string{role}, Unit: DevUnit}, until: d.cfg.Clock().Add(codeTTL),
	}, d.cfg.Clock())
	params := back.Query()
	params.Set("code", code)
	params.Set("state", q.Get("state"))
	back.RawQuery = params.Encode()
	http.Redirect(w, r, back.String(), http.StatusSeeOther) //nolint:gosec // the host was found to be loopback
}

// serveGrant answers POST {URL}/token where it is a form: a code or a refresh token for new tokens.
func (d *DevIssuer) serveGrant(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		d.refuse(w, http.StatusBadRequest, "The form cannot be read.")
		return
	}
	form := r.PostForm
	client, _, basic := r.BasicAuth()
	if !basic {
		client = form.Get("client_id")
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		one, ok := d.grants.take(form.Get("code"), d.cfg.Clock())
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		challenge := base64.RawURLEncoding.EncodeToString(sum[:])
		if !ok || one.client != client || one.redirect != form.Get("redirect_uri") ||
			subtle.ConstantTimeCompare([]byte(challenge), []byte(one.challenge)) != 1 {
			d.answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "The code is not, or no longer, good."})
			return
		}
		d.grant(w, client, one.who, one.nonce)
	case "refresh_token":
		who, ok := d.refreshed(form.Get("refresh_token"), client)
		if !ok {
			d.answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "The refresh token is not, or no longer, good."})
			return
		}
		d.grant(w, client, who, "")
	default:
		d.answer(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
	}
}

// refreshClaims are those of a refresh token. Its audience is the issuer itself, so that no service takes it for an access token.
type refreshClaims struct {
	jwt.Claims
	Client string   `json:"client"`
	Tenant string   `json:"tenant"`
	Roles  []string `json:"roles"`
	Unit   string   `json:"unit,omitempty"`
}

func (d *DevIssuer) refreshAudience() string { return d.base() + "/token" }

func (d *DevIssuer) refreshed(raw, client string) (TokenRequest, bool) {
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return TokenRequest{}, false
	}
	var c refreshClaims
	if err := token.Claims(d.key, &c); err != nil || c.Client != client {
		return TokenRequest{}, false
	}
	if err := c.Validate(jwt.Expected{Issuer: d.cfg.URL, AnyAudience: jwt.Audience{d.refreshAudience()}, Time: d.cfg.Clock()}); err != nil {
		return TokenRequest{}, false
	}
	return TokenRequest{Subject: c.Subject, Tenant: c.Tenant, Roles: c.Roles, Unit: c.Unit}, true
}

// grant answers with an access token, an ID token and a refresh token.
func (d *DevIssuer) grant(w http.ResponseWriter, client string, who TokenRequest, nonce string) {
	now := d.cfg.Clock()
	name := strings.ToUpper(who.Subject[:1]) + who.Subject[1:] + " of " + who.Tenant
	id := map[string]any{
		"iss": d.cfg.URL, "aud": client, "sub": who.Subject, "name": name, "iat": now.Unix(), "exp": now.Add(defaultTTL).Unix(),
	}
	if nonce != "" {
		id["nonce"] = nonce
	}
	refresh := refreshClaims{
		Claims: jwt.Claims{
			Issuer: d.cfg.URL, Subject: who.Subject, Audience: jwt.Audience{d.refreshAudience()},
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(refreshTTL)),
		},
		Client: client, Tenant: who.Tenant, Roles: who.Roles, Unit: who.Unit,
	}
	access, err := d.Token(who, now)
	var idToken, refreshToken string
	if err == nil {
		idToken, err = d.Sign(id)
	}
	if err == nil {
		refreshToken, err = jwt.Signed(d.signer).Claims(refresh).Serialize()
	}
	if err != nil {
		d.refuse(w, http.StatusInternalServerError, "The tokens could not be signed.")
		return
	}
	d.answer(w, http.StatusOK, map[string]any{
		"access_token": access, "id_token": idToken, "refresh_token": refreshToken, "token_type": "Bearer",
		"expires_in": int64(defaultTTL / time.Second),
	})
}

// choice is one link of the sign-in page.
type choice struct{ Role, Says, Chinese, Link string }

func (d *DevIssuer) signInPage(w http.ResponseWriter, q url.Values) {
	says := map[string][2]string{
		RoleAgent:      {"answers customers", "客服"},
		RoleSales:      {"looks after deals", "销售"},
		RoleManager:    {"leads the people above", "经理"},
		RoleMarketing:  {"looks at the figures", "市场"},
		RoleOperations: {"keeps it all running", "运维"},
		RoleAdmin:      {"may do everything", "管理员"},
	}
	type tenant struct {
		Name    string
		Choices []choice
	}
	var tenants []tenant
	for _, name := range DevTenants() {
		t := tenant{Name: name}
		for _, role := range devRoles() {
			q.Set("role", role)
			q.Set("tenant", name)
			t.Choices = append(t.Choices, choice{Role: role, Says: says[role][0], Chinese: says[role][1], Link: "?" + q.Encode()})
		}
		tenants = append(tenants, t)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	_ = signIn.Execute(w, tenants) // the caller has gone; there is nobody left to tell
}

var signIn = template.Must(template.New("sign-in").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Development sign-in</title>
<style>
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;margin:0;min-height:100vh;display:grid;place-items:center;background:light-dark(#f5f6f8,#14171c);color:light-dark(#1c2330,#e4e8ee)}
main{width:min(46rem,calc(100vw - 2rem));padding:1rem 0}
h1{font-size:1.25rem;margin:0 0 .25rem}h2{font-size:1rem;margin:1.25rem 0 .5rem;text-transform:capitalize}
p{margin:0;color:light-dark(#566072,#9aa5b5)}
ul{list-style:none;margin:0;padding:0;display:grid;gap:.5rem;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr))}
a{display:block;padding:.6rem .8rem;border-radius:.5rem;border:1px solid light-dark(#d8dde5,#2c333d);background:light-dark(#fff,#1b2027);color:inherit;text-decoration:none}
a:hover,a:focus-visible{border-color:light-dark(#2f5bd0,#8caaff);outline:none;box-shadow:0 0 0 2px light-dark(#2f5bd033,#8caaff44)}
strong{text-transform:capitalize}small{display:block;color:light-dark(#566072,#9aa5b5)}
</style></head><body><main>
<h1>Development sign-in <span lang="zh">开发登录</span></h1>
<p>Only on this machine: choose who you are. <span lang="zh">仅限本机：选择身份。</span></p>
{{range .}}<h2>{{.Name}}</h2><ul>{{$tenant := .Name}}{{range .Choices}}
<li><a href="{{.Link}}" data-choice="{{.Role}}@{{$tenant}}"><strong>{{.Role}}</strong> <span lang="zh">{{.Chinese}}</span><small>{{.Says}}</small></a></li>{{end}}
</ul>{{end}}
</main></body></html>
`))
