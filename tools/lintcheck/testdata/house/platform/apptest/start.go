package apptest

import (
	"testing"

	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

func Start(t *testing.T) { t.Log(bustest.Name, pgtest.Name) }
