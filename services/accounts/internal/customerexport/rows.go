package customerexport

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// subject is a customer as an export reads them: what hangs on ids that were merged into theirs is theirs.
type subject struct {
	ID                            uuid.UUID
	Aliases                       []uuid.UUID
	State                         customer.State
	Kind, Stage                   string
	Display, Given, Family, Legal string
	Source, Owner                 string
	Tags                          []string
	Custom                        map[string]json.RawMessage
	RegisteredAt, ChangedAt       time.Time

	identities map[string][]string // valid ones, by type, oldest first
	addresses  []address
}

// address is a postal address in a file. The names of its parts are those of the API.
type address struct {
	Kind       string   `json:"kind"`
	Lines      []string `json:"lines"`
	City       string   `json:"city,omitempty"`
	Region     string   `json:"region,omitempty"`
	PostalCode string   `json:"postal_code,omitempty"`
	Country    string   `json:"country"`
}

// value gives what a column says of the customer: a string, a []string, a json.RawMessage or []address; nil where there
// is nothing.
func (s subject) value(column string) any {
	switch column {
	case "customer_id":
		return s.ID.String()
	case "kind":
		return s.Kind
	case "display_name":
		return s.Display
	case "given_name":
		return s.Given
	case "family_name":
		return s.Family
	case "legal_name":
		return s.Legal
	case "source":
		return s.Source
	case "owner":
		return s.Owner
	case "tags":
		return s.Tags
	case "addresses":
		return s.addresses
	case "state":
		return string(s.State)
	case "stage":
		return s.Stage
	case "registered_at":
		return s.RegisteredAt.UTC().Format(time.RFC3339Nano)
	case "changed_at":
		return s.ChangedAt.UTC().Format(time.RFC3339Nano)
	}
	if name, custom := strings.CutPrefix(column, customPrefix); custom {
		return s.Custom[name]
	}
	return s.identities[column]
}

// looks gives the sensitive classes of which the row tells something.
func (s subject) looks(columns []string, classes map[string]access.Class) []access.Class {
	var seen []access.Class
	for _, column := range columns {
		class, custom := classes[column]
		if custom && class.Sensitive() && len(s.Custom[strings.TrimPrefix(column, customPrefix)]) > 0 && !slices.Contains(seen, class) {
			seen = append(seen, class)
		}
	}
	return seen
}

// write appends the customers as rows of the file; header begins a CSV file.
func write(b *bytes.Buffer, f Format, columns []string, header bool, subjects []subject) error {
	if f == JSONL {
		return writeJSON(b, columns, subjects)
	}
	w := csv.NewWriter(b)
	if header {
		if err := w.Write(columns); err != nil {
			return err
		}
	}
	cells := make([]string, len(columns))
	for _, s := range subjects {
		for n, column := range columns {
			text, err := cell(s.value(column))
			if err != nil {
				return fmt.Errorf("column %s: %w", column, err)
			}
			cells[n] = imports.Mark(text)
		}
		if err := w.Write(cells); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// cell gives a value as the text of a CSV cell: several values one a line, addresses as JSON.
func cell(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case []string:
		return strings.Join(v, "\n"), nil
	case json.RawMessage:
		return scalarText(v)
	case []address:
		if len(v) == 0 {
			return "", nil
		}
		raw, err := json.Marshal(v)
		return string(raw), err
	default:
		return "", nil
	}
}

// scalarText gives the value of a custom field as text.
func scalarText(raw json.RawMessage) (string, error) {
	var list []string
	var text string
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "", nil
	case raw[0] == '[':
		err := json.Unmarshal(raw, &list)
		return strings.Join(list, "\n"), err
	case raw[0] == '"':
		err := json.Unmarshal(raw, &text)
		return text, err
	default: // a number or a truth
		return string(raw), nil
	}
}

func writeJSON(b *bytes.Buffer, columns []string, subjects []subject) error {
	for _, s := range subjects {
		before := "{"
		for _, column := range columns {
			value := s.value(column)
			if nothing(value) {
				continue
			}
			key, err := json.Marshal(column)
			if err != nil {
				return err
			}
			raw, err := json.Marshal(value)
			if err != nil {
				return fmt.Errorf("column %s: %w", column, err)
			}
			b.WriteString(before)
			b.Write(key)
			b.WriteByte(':')
			b.Write(raw)
			before = ","
		}
		if before == "{" {
			b.WriteString(before)
		}
		b.WriteString("}\n")
	}
	return nil
}

func nothing(value any) bool {
	switch v := value.(type) {
	case string:
		return v == ""
	case []string:
		return len(v) == 0
	case json.RawMessage:
		return len(v) == 0 || string(v) == "null"
	case []address:
		return len(v) == 0
	default:
		return true
	}
}
