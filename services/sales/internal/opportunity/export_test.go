package opportunity

import (
	"context"

	"github.com/guanxi-crm/guanxi/platform/auth"
)

// FollowUp is what the process asks for.
func (o *Opportunities) FollowUp(ctx context.Context, in Input) (Progress, error) {
	return o.followUp(ctx, in)
}

// ProcessOf is whom the process acts as.
func ProcessOf(tenant string) auth.Principal { return auth.Principal{Subject: process, Tenant: tenant} }
