package contact_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/contact"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

func TestTheFirstWayThatIsAllowedIsTaken(t *testing.T) {
	t.Parallel()
	mailbox := identity.Identity{Type: identity.Email, Value: "li.lei@example.com"}
	mobile := identity.Identity{Type: identity.Phone, Value: "+8613800138000"}
	openID := identity.Identity{Type: "wechat", Value: "wx1:oLei"}
	ways := []contact.Choice{{Channel: consent.Email, Address: mailbox}, {Channel: consent.SMS, Address: mobile}, {Channel: consent.WeChat, Address: openID}}
	type said struct {
		state   consent.State
		channel consent.Channel
		address identity.Identity
	}
	none := identity.Identity{}
	for name, c := range map[string]struct {
		said    []said
		child   bool
		purpose consent.Purpose
		ways    []contact.Choice
		want    consent.Channel
		why     contact.Refusal
	}{
		"nothing was said of service":         {nil, false, consent.Service, ways, consent.Email, ""},
		"nothing was said of marketing":       {nil, false, consent.Marketing, ways, "", consent.NoConsent},
		"the mailbox wants none":              {[]said{{consent.Withdrawn, "", mailbox}}, false, consent.Service, ways, consent.SMS, ""},
		"marketing by wechat alone":           {[]said{{consent.Granted, consent.WeChat, none}}, false, consent.Marketing, ways, consent.WeChat, ""},
		"nobody can be reached":               {nil, false, consent.Service, nil, "", contact.NoAddress},
		"all were withdrawn":                  {[]said{{consent.Withdrawn, "", none}}, false, consent.Service, ways, "", consent.IsWithdrawn},
		"a withdrawal tells more than none":   {[]said{{consent.Withdrawn, consent.SMS, none}}, false, consent.Marketing, ways, "", consent.IsWithdrawn},
		"a child needs a guardian, above all": {[]said{{consent.Withdrawn, consent.SMS, none}}, true, consent.Marketing, ways, "", consent.GuardianNeeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			states := consent.States{}
			for _, s := range c.said {
				states[consent.Key{Purpose: c.purpose, Channel: s.channel, Address: s.address}] =
					consent.Entry{State: s.state, Statement: uuid.Must(uuid.NewV7()), Since: time.Unix(1, 0)}
			}
			got, why := contact.Choose(c.purpose, c.ways, consent.Standing{States: states, Child: c.child})
			if got.Channel != c.want || why != c.why || why != "" && slices.Contains(c.ways, got) {
				t.Errorf("got %q %q, want %q %q", got.Channel, why, c.want, c.why)
			}
		})
	}
}
