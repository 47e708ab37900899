package catalogue

import (
	"context"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// productSpot is where a product stands in a list.
type productSpot struct{ Folded, SKU string }

// Product gives a product of the caller's tenant.
func (c *Catalogue) Product(ctx context.Context, sku string) (Product, error) {
	var found *map[string]Product
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found = Find(tx, []string{sku})
		return tx.Flush(ctx)
	})
	if err != nil {
		return Product{}, err
	}
	p, there := (*found)[sku]
	if !there {
		return Product{}, errNoProduct
	}
	return p, nil
}

func (c *Catalogue) products(ctx context.Context, f filter, after productSpot, limit int) (page []Product, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = listProducts(ctx, tx, f, after, limit)
		return err
	})
	return page, err
}

// Category gives a category of the caller's tenant.
func (c *Catalogue) Category(ctx context.Context, code string) (Category, error) {
	var all map[string]Category
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		all = allCategories(tx)
		return tx.Flush(ctx)
	})
	if err != nil {
		return Category{}, err
	}
	found, there := all[code]
	if !there {
		return Category{}, errNoCategory
	}
	return found, nil
}

func (c *Catalogue) categories(ctx context.Context, after string, archived bool, limit int) (page []Category, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = listCategories(ctx, tx, after, archived, limit)
		return err
	})
	return page, err
}

// PriceList gives a price list of the caller's tenant.
func (c *Catalogue) PriceList(ctx context.Context, code string) (PriceList, error) {
	var found *PriceList
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found = getList(tx, code, false)
		return tx.Flush(ctx)
	})
	if err != nil {
		return PriceList{}, err
	}
	if found.Version == 0 {
		return PriceList{}, errNoList
	}
	return *found, nil
}

func (c *Catalogue) priceLists(ctx context.Context, after string, archived bool, limit int) (page []PriceList, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = listLists(ctx, tx, after, archived, limit)
		return err
	})
	return page, err
}

// Price gives what a product costs by a list.
func (c *Catalogue) Price(ctx context.Context, list, sku string) (Price, error) {
	var (
		of    *PriceList
		found *map[string]Price
	)
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		of, found = getList(tx, list, false), FindPrices(tx, list, []string{sku})
		return tx.Flush(ctx)
	})
	if err != nil {
		return Price{}, err
	}
	if of.Version == 0 {
		return Price{}, errNoList
	}
	p, there := (*found)[sku]
	if !there {
		return Price{}, errNoPrice
	}
	return p, nil
}

func (c *Catalogue) prices(ctx context.Context, list, after string, limit int) (page []Price, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		of := getList(tx, list, false)
		if page, err = listPrices(ctx, tx, list, after, limit); err == nil && of.Version == 0 {
			err = errNoList
		}
		return err
	})
	return page, err
}
