package lead

import (
	"time"

	"github.com/google/uuid"
)

// Enquiry is one time that somebody came, with the words as they came.
type Enquiry struct {
	ID        uuid.UUID // UUIDv7
	LeadID    uuid.UUID
	Capture   Capture
	Source    string
	Campaign  string
	FormID    uuid.UUID
	MatchedBy string // email, phone or company; empty for the first, which made the lead
	Name      string
	Company   string
	Email     string
	Phone     string
	Message   string
	At        time.Time
}
