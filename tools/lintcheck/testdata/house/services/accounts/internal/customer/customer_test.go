package customer

import (
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/sales" // want "services hear of each other by events"
)

func TestRule(t *testing.T) { t.Log(pgtest.Name, sales.Name, time.Now()) }
