package attachment

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/minio/sio"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/blob"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Attachments is what can be done with files.
type Attachments struct {
	db    *pg.DB
	blobs blob.Store
	clock func() time.Time
	log   *slog.Logger
}

// New makes the capability.
func New(db *pg.DB, blobs blob.Store, clock func() time.Time, log *slog.Logger) *Attachments {
	return &Attachments{db: db, blobs: blobs, clock: clock, log: log}
}

func (a *Attachments) now() time.Time { return a.clock().UTC().Truncate(time.Microsecond) }

// Attach takes a file in, whose beginning was recognised already.
func (a *Attachments) Attach(ctx context.Context, f Attachment, file io.Reader) (Attachment, error) {
	f, _, err := a.attach(ctx, f, file, func() context.Context { return ctx })
	return f, err
}

// attach is Attach; once is asked, when the file has been read to its end, for the context that carries pg.Once.
func (a *Attachments) attach(ctx context.Context, f Attachment, file io.Reader, once func() context.Context) (_ Attachment, replayed bool, err error) {
	if f.ID, err = uuid.NewV7(); err != nil {
		return f, false, err
	}
	if err := a.begin(ctx, &f); err != nil {
		return f, false, err
	}
	if err := a.receive(ctx, &f, file); err != nil {
		a.forget(ctx, &f)
		return f, false, err
	}
	done, err := a.keep(once(), &f)
	if err != nil || done.Replayed {
		a.forget(ctx, &f)
	}
	if err == nil && done.Replayed {
		f, err = a.Get(ctx, f.TicketID, done.ID)
	}
	return f, done.Replayed, err
}

// begin writes down that a file is about to arrive, or refuses it.
func (a *Attachments) begin(ctx context.Context, f *Attachment) error {
	f.secret = make([]byte, 32)
	if _, err := rand.Read(f.secret); err != nil {
		return err
	}
	return a.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if err := a.admit(ctx, tx, f); err != nil {
			return err
		}
		insert(tx, *f)
		return nil
	})
}

// admit refuses a file for a ticket that takes none, or for a customer who was erased.
func (a *Attachments) admit(ctx context.Context, tx *pg.Tx, f *Attachment) error {
	on := queuePlace(tx, *f)
	t, err := ticket.Lock(ctx, tx, f.TicketID)
	switch {
	case err != nil:
		return err
	case t.Status == ticket.StatusClosed:
		return problem.New(problem.Conflict, "ticket_closed", "A ticket that is closed takes no more files.")
	case f.ReplyID != uuid.Nil && !on.reply:
		return problem.New(problem.NotFound, "reply_not_found", "Nothing was said on this ticket under that reply_id.")
	case on.files >= most:
		return problem.New(problem.Conflict, "attachments_too_many", "A ticket has at most %d files.", most)
	}
	if t.CustomerID != uuid.Nil {
		erasure.Refuse(tx, t.CustomerID)
	}
	return nil
}

// receive puts the sealed file into the store, and says how big it is and what its hash is.
func (a *Attachments) receive(ctx context.Context, f *Attachment, file io.Reader) error {
	sum, size := sha256.New(), &counter{}
	sealed, err := sio.EncryptReader(io.TeeReader(file, io.MultiWriter(sum, size)), sealing(f.secret))
	if err != nil {
		return err
	}
	if _, err := a.blobs.Put(ctx, key(auth.Tenant(ctx), f.ID), sealed); err != nil {
		return err
	}
	f.Bytes, f.SHA256 = size.n, sum.Sum(nil)
	return nil
}

// keep makes the file an attachment, once a key: an earlier one with the same key is given instead.
func (a *Attachments) keep(ctx context.Context, f *Attachment) (pg.Result, error) {
	return a.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if err := a.admit(ctx, tx, f); err != nil {
			return pg.Result{}, err
		}
		arrived, err := keep(ctx, tx, *f)
		if err == nil && !arrived {
			err = problem.New(problem.Unavailable, "upload_lost", "The upload was given up meanwhile. Send the file again.")
		}
		return pg.Result{ID: f.ID, Status: http.StatusCreated}, err
	})
}

// forget dooms a file that came to nothing, even when its request is gone. What it cannot doom now, the sweep will.
func (a *Attachments) forget(ctx context.Context, f *Attachment) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := a.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		doom(tx, f.ID, "arriving")
		return nil
	})
	if err != nil {
		a.log.WarnContext(ctx, "a broken upload stays until the sweep", "attachment", f.ID, "error", err)
	}
}

// Remove takes a file off its ticket. It cannot be read from then on; its blob goes with the next sweep.
func (a *Attachments) Remove(ctx context.Context, ticketID, id uuid.UUID) error {
	_, err := a.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if _, err := find(ctx, tx, ticketID, id); err != nil {
			return pg.Result{}, err
		}
		doom(tx, id, "kept")
		return pg.Result{ID: id, Status: http.StatusNoContent}, nil
	})
	return err
}

// sealing is how files are sealed: AES-256-GCM or ChaCha20-Poly1305 in packages, each of which is checked before it is given.
func sealing(secret []byte) sio.Config { return sio.Config{MinVersion: sio.Version20, Key: secret} }

// counter counts what is written to it.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
