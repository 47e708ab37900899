package search

import (
	"context"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Tight makes a search that takes few customers for many, so that a test need not have thousands.
func Tight(db *pg.DB) *Searches { return &Searches{db, limits{few: 2, peek: 1, look: 2, scan: 3}} }

// All gives everybody who is found, in pages of so many, and the number of pages.
func (s *Searches) All(ctx context.Context, q Query, limit int) (hits []Hit, pages int, err error) {
	for after := (*place)(nil); ; {
		found, err := s.Find(ctx, q, after, limit)
		if err != nil {
			return nil, 0, err
		}
		hits, pages = append(hits, found.Hits...), pages+1
		if after = found.Next; after == nil {
			return hits, pages, nil
		}
	}
}
