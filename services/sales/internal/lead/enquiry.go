package lead

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/externalref"
)

// Enquiry is one time that somebody came, with the words as they came.
type Enquiry struct {
	ID          uuid.UUID // UUIDv7
	LeadID      uuid.UUID
	ExternalRef externalref.Ref // the other system's name for what came in; zero: it has none
	Fingerprint []byte          // of the content as it came in, where there is such a name: tells a repetition from another content
	Capture     Capture
	Source      string
	Campaign    string
	FormID      uuid.UUID
	MatchedBy   Key // empty for the first, which made the lead
	Name        string
	Company     string
	Email       string
	Phone       string
	Message     string
	At          time.Time
}
