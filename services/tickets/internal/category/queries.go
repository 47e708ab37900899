package category

import (
	"context"
	"slices"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a category of the caller's tenant.
func (c *Categories) Get(ctx context.Context, code string) (Category, error) {
	tree, err := c.tree(ctx)
	if err != nil {
		return Category{}, err
	}
	found, known := tree[code]
	if !known {
		return Category{}, errNotFound
	}
	return found, nil
}

// List gives up to limit categories after the one of the path (none: from the first), as the tree is read: each before
// those below it.
func (c *Categories) List(ctx context.Context, after string, limit int) ([]Category, error) {
	tree, err := c.tree(ctx)
	if err != nil {
		return nil, err
	}
	var page []Category
	for _, one := range tree {
		if after == "" || slices.Compare(one.Path, strings.Split(after, "/")) > 0 {
			page = append(page, one)
		}
	}
	slices.SortFunc(page, func(a, b Category) int { return slices.Compare(a.Path, b.Path) })
	return page[:min(limit, len(page))], nil
}

// tree reads all categories, which are at most Most.
func (c *Categories) tree(ctx context.Context) (tree Tree, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		tree = All(tx)
		return tx.Flush(ctx)
	})
	return tree, err
}
