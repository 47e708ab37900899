// Package auth says who is calling, for which tenant, and what the caller may do. Tokens are OIDC access tokens; the
// development issuer goes through the same verifier as any other.
package auth

import (
	"context"
	"regexp"
	"slices"
)

// tenantSlug is the shape of a tenant id everywhere in the platform.
var tenantSlug = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// ValidTenant tells whether id has the shape of a tenant id: a lower-case slug of 1 to 63 characters.
func ValidTenant(id string) bool { return tenantSlug.MatchString(id) }

// Principal is who calls. Its values come from a verified token and from nowhere else.
type Principal struct {
	// Subject is the issuer's stable id of the caller, never empty.
	Subject string
	// Tenant is the slug of the tenant; empty only for a platform administrator.
	Tenant string
	// Unit is the organisational unit of the caller; may be empty.
	Unit string
	// Roles are those that the platform knows; others in the token are left out.
	Roles []string
}

// Can tells whether any of the principal's roles carries the permission.
func (p Principal) Can(perm Permission) bool {
	for _, r := range p.Roles {
		if Allows(r, perm) {
			return true
		}
	}
	return false
}

// PlatformAdmin tells whether the principal may act without a tenant, where the operation allows that.
func (p Principal) PlatformAdmin() bool { return slices.Contains(p.Roles, RolePlatformAdmin) }

type contextKey struct{}

// With returns a context that carries the principal.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// From gives the principal of the context.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(Principal)
	return p, ok
}

// Tenant gives the tenant of the context. It panics where there is none: an operation that needs a tenant is only
// reached with one, so the absence is a mistake in our code.
func Tenant(ctx context.Context) string {
	p, ok := From(ctx)
	if !ok || p.Tenant == "" {
		panic("auth: no tenant in the context; is the operation declared with AnyTenant or Public?")
	}
	return p.Tenant
}
