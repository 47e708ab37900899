package rollout_test

import (
	"testing"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/services/rollout"
)

func TestTheHouseRulesHold(t *testing.T) {
	t.Parallel()
	apptest.Check(t, rollout.Module())
}
