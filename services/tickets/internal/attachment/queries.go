package attachment

import (
	"context"
	"errors"
	"io"

	"github.com/google/uuid"
	"github.com/minio/sio"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/blob"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Get gives a file of a ticket, or of one that was merged into it.
func (a *Attachments) Get(ctx context.Context, ticketID, id uuid.UUID) (found Attachment, err error) {
	err = a.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = find(ctx, tx, ticketID, id)
		return err
	})
	return found, err
}

// List gives up to limit files of a ticket and of those that were merged into it, the latest first, those before the id unless
// it is Nil.
func (a *Attachments) List(ctx context.Context, tickets *ticket.Tickets, ticketID, before uuid.UUID, limit int) (found []Attachment, err error) {
	if _, err := tickets.Get(ctx, ticketID); err != nil {
		return nil, err
	}
	err = a.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = list(ctx, tx, ticketID, before, limit)
		return err
	})
	return found, err
}

// Open opens a file. What it gives was checked against its seal, piece by piece. The caller closes it.
func (a *Attachments) Open(ctx context.Context, f Attachment) (io.ReadCloser, error) {
	sealed, _, err := a.blobs.Get(ctx, key(auth.Tenant(ctx), f.ID))
	if errors.Is(err, blob.ErrNotFound) {
		return nil, problem.New(problem.Internal, "attachment_lost", "The file is not in the store any more.").Because(err)
	}
	if err != nil {
		return nil, err
	}
	plain, err := sio.DecryptReader(sealed, sealing(f.secret))
	if err != nil {
		return nil, errors.Join(err, sealed.Close())
	}
	return opened{plain, sealed}, nil
}

// opened reads the one and closes the other.
type opened struct {
	io.Reader
	io.Closer
}
