// Package imports brings files of any size in: streamed up, kept in chunks, and applied batch by batch by a workflow
// that can be killed anywhere without a row lost or applied twice. A service says what its rows mean by a Kind; all
// else, from the HTTP operations to the file of rejected rows, is here.
package imports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/turns"
)

// Column is one thing that a row can say.
type Column struct {
	// Name is what mappings call it. A name that ends in ":*", such as external:*, stands for any name with that
	// beginning.
	Name string
	// Required columns must be mapped, and a row must have a value in them.
	Required bool
	// Many columns take several values: an array in JSON Lines, one a line within a cell otherwise. Row.Get gives them one
	// a line.
	Many bool
	// JSON columns take any JSON: as it stands in JSON Lines, as the text of a cell otherwise. Row.Get gives the text.
	JSON bool
	// Doc says what belongs there, for the documentation.
	Doc string
}

// Rejection says why a row, or one column of it, was not taken.
type Rejection struct {
	Line   int64  // of the Row
	Column string // empty where the row as a whole is at fault
	Code   string // stable, snake_case, made for programs
	Reason string // made for people
}

// Policy says what happens to a row that is there already.
type Policy string

// The policies.
const (
	Skip   Policy = "skip"   // leave what is there
	Update Policy = "update" // change what is there to what the row says
	Create Policy = "create" // make another one wherever nothing forbids that there are two
)

// State is where an import stands.
type State string

// The states of an import.
const (
	Uploading State = "uploading" // the file is coming in
	Accepted  State = "accepted"  // the file is here; the work is about to start
	Running   State = "running"
	Finished  State = "finished"
	Cancelled State = "cancelled" // what was applied before stays
	Failed    State = "failed"    // could not be carried out; what was applied before stays
)

// Job is one import.
type Job struct {
	ID      uuid.UUID
	Tenant  string
	Kind    string
	Policy  Policy
	DryRun  bool
	State   State
	Columns []string // targets of the mapping, in the order of Row.At

	Rows, Accepted, Rejected int64
	CreatedAt, FinishedAt    time.Time
}

// Kind is one sort of import that a service offers.
type Kind struct {
	Path       string // of the collection, such as /v1/customers/imports
	Name       string // such as customers; part of the workflow's name
	Permission auth.Permission
	Columns    []Column
	Policies   []Policy // that the kind knows; the first is meant where an upload names none. Empty: Skip and Update
	// Check, where there is one, gives those of a mapping's columns that the tenant does not have, although Columns allows
	// their names. The upload is refused then.
	Check func(ctx context.Context, tx *pg.Tx, columns []string) (unknown []string, err error)
	// Prepare, where there is one, is asked at the beginning of a round of batches for what makes of the rows of a batch
	// whatever needs not be in its transaction, and leaves it in Row.Prepared. It is called for one batch after the other, in
	// the order of the file, while up to Unwritten before are still to be written: what it read may have changed when Apply
	// comes to it, which is for Apply to see.
	Prepare func(ctx context.Context, tx *pg.Tx, job Job) (func(ctx context.Context, rows []Row) error, error)
	// Apart, where there is one, tells of rows of which Prepare made something whether Apply does the same with them and with
	// those of the batches before that may be unwritten, whichever it is called for first, and locks nothing that those lock:
	// then they are written at once.
	Apart func(rows []Row) bool
	// Together, where there is one, gives the column by which rows belong together that stand one after the other: all of one
	// value come to Apply in one call, which may then have more than 1,000 rows, or to none where one of them cannot be read.
	// Empty: each row is for itself. It is asked with the columns of the mapping.
	Together func(columns []string) string
	// Apply brings up to 1,000 rows in, set by set, in the given transaction of the tenant; the import's progress moves
	// in the same one. It returns the rows it does not take. An error that is the rows' own fault (a violated
	// constraint, a problem of the caller's kind) makes the batch be split until the culprits stand alone; any other
	// is tried again as it is. Apply may be called more than once for a row, but only one call's effects stay.
	Apply func(ctx context.Context, tx *pg.Tx, job Job, rows []Row) ([]Rejection, error)
	// Finished gives the event that tells of a finished import. It is appended when the job is marked.
	Finished func(job Job) outbox.Event
}

// Imports serves and works one Kind for one service.
type Imports struct {
	db      *pg.DB
	outbox  *outbox.Outbox
	flow    *flow.Client
	service string
	kind    Kind
	clock   func() time.Time
	turns   *turns.Turns
}

// Within has an import keep one of the turns while it is worked: somebody waits for it, and what consumers have to catch
// up with waits for nobody.
func (i *Imports) Within(t *turns.Turns) *Imports {
	i.turns = t
	return i
}

// policies are those that the kind knows, the usual one first.
func (k Kind) policies() []Policy {
	if len(k.Policies) == 0 {
		return []Policy{Skip, Update}
	}
	return k.Policies
}

// New makes the imports of a kind. db is the service's database as the app role.
func New(db *pg.DB, o *outbox.Outbox, fl *flow.Client, service string, kind Kind, clock func() time.Time) *Imports {
	return &Imports{db: db, outbox: o, flow: fl, service: service, kind: kind, clock: clock}
}
