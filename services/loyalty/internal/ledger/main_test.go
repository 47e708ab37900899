package ledger_test

import (
	"os"
	"testing"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
)

// TestMain has lots read in small portions, so that tests with few lots come upon all of them.
func TestMain(m *testing.M) {
	ledger.Portions = [...]int{2, 5, 0}
	os.Exit(m.Run())
}
