package httpx_test

import (
	"context"
	"encoding/hex"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// onceOf shows what the context carries of an idempotent request.
func onceOf(ctx context.Context) string {
	once, ok := pg.OnceFrom(ctx)
	if !ok {
		return ""
	}
	return once.Subject + " " + once.Operation + " " + once.Key + " " + hex.EncodeToString(once.BodyHash)
}
