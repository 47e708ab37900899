package catalogue

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/fold"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// ProductBody is what a product says, as the API takes and shows it. It is exported so that what embeds it is documented whole.
type ProductBody struct {
	Name     string `json:"name" example:"Margherita" doc:"1 to 200 characters."`
	Category string `json:"category,omitempty" example:"pizza" doc:"Code of its category."`
	Unit     string `json:"unit,omitempty" example:"piece" doc:"What one of it is, in words of yours."`
	TaxCode  string `json:"tax_code,omitempty" example:"food-6" doc:"A label for whoever reckons taxes: nothing is reckoned by it here."`
	Archived bool   `json:"archived,omitempty" doc:"Cannot be sold any more."`
}

type productView struct {
	SKU string `json:"sku" example:"MARGHERITA"`
	ProductBody
	Path      []string  `json:"path" nullable:"false" doc:"Codes of the categories from the root to its own."`
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt time.Time `json:"changed_at"`
}

func (b ProductBody) product(sku string) Product {
	return Product{SKU: sku, Name: b.Name, Category: b.Category, Unit: b.Unit, TaxCode: b.TaxCode, Archived: b.Archived}
}

func showProduct(p Product) productView {
	path := p.Path
	if path == nil {
		path = []string{}
	}
	return productView{SKU: p.SKU, ProductBody: ProductBody{p.Name, p.Category, p.Unit, p.TaxCode, p.Archived}, Path: path,
		Version: p.Version, ChangedAt: p.ChangedAt.UTC()}
}

type bySKU struct {
	SKU string `path:"sku" maxLength:"64"`
}

type productInput struct {
	SKU     string `path:"sku" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the product as it was read; \"0\" makes it, * does not mind."`
	Body    ProductBody
}

type productAnswer struct {
	ETag string `header:"ETag"`
	Body productView
}

func productAnswered(p Product, err error) (*productAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &productAnswer{httpx.ETag(p.Version), showProduct(p)}, nil
}

type productList struct {
	httpx.Page
	Query    string `query:"q" maxLength:"200" doc:"How the name begins: case, accents and forms of characters do not matter."`
	Category string `query:"category" maxLength:"64" doc:"Code of the category that they are in, or below it."`
	Archived bool   `query:"archived" doc:"Those in the archive, too."`
}

type productsAnswer struct{ Body productPage }

type productPage struct {
	Items      []productView `json:"items" nullable:"false" doc:"By sku; with q by name."`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type productBatchInput struct{ Body productBatch }

type productBatch struct {
	Items []productBatchItem `json:"items" nullable:"false" minItems:"1" maxItems:"1000"`
}

type productBatchItem struct {
	SKU string `json:"sku" example:"MARGHERITA"`
	ProductBody
}

type batchAnswer struct{ Body catalogueBatch }

// catalogueBatch says what became of the rows of a batch.
type catalogueBatch struct {
	Created   int                 `json:"created" doc:"Rows that were not there before."`
	Changed   int                 `json:"changed"`
	Unchanged int                 `json:"unchanged" doc:"Rows that said what was there already."`
	Rejected  []catalogueRejected `json:"rejected" nullable:"false" doc:"Rows that were left out, and why."`
}

type catalogueRejected struct {
	Row    int              `json:"row" doc:"Its place in items, from 0."`
	SKU    string           `json:"sku"`
	Errors []catalogueFault `json:"errors" nullable:"false"`
}

type catalogueFault struct {
	Location string `json:"location" doc:"Field of the row."`
	Code     string `json:"code" doc:"Stable, for programs."`
	Message  string `json:"message"`
}

func batchAnswered(b Batch, err error) (*batchAnswer, error) {
	if err != nil {
		return nil, err
	}
	v := catalogueBatch{Created: b.Created, Changed: b.Changed, Unchanged: b.Unchanged, Rejected: make([]catalogueRejected, len(b.Rejected))}
	for i, r := range b.Rejected {
		v.Rejected[i] = catalogueRejected{Row: r.Row, SKU: r.SKU, Errors: make([]catalogueFault, len(r.Faults))}
		for n, f := range r.Faults {
			v.Rejected[i].Errors[n] = catalogueFault(f)
		}
	}
	return &batchAnswer{v}, nil
}

// Routes adds the operations on products, categories and price lists.
func (c *Catalogue) Routes(api *httpx.API) {
	c.productRoutes(api)
	c.categoryRoutes(api)
	c.listRoutes(api)
	c.priceRoutes(api)
}

const tag = "Catalogue"

// statuses that operations have besides those of their shape.
var (
	missing   = []int{http.StatusNotFound}
	versioned = []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired}
)

// maxBatch is the body of 1,000 rows that say all they can, in bytes.
const maxBatch = 4 << 20

func (c *Catalogue) productRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "list-products", Method: http.MethodGet, Path: "/v1/products", Tag: tag, Summary: "List products, or find them by how their name begins",
		Permission: auth.CatalogueRead,
	}, c.listProductsHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-product", Method: http.MethodGet, Path: "/v1/products/{sku}", Tag: tag, Summary: "Read a product",
		Permission: auth.CatalogueRead, Errors: missing,
	}, func(ctx context.Context, in *bySKU) (*productAnswer, error) {
		return productAnswered(c.Product(ctx, in.SKU))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-product", Method: http.MethodPut, Path: "/v1/products/{sku}", Tag: tag, Summary: "Make or change a product",
		Permission: auth.CatalogueWrite, Errors: versioned,
	}, func(ctx context.Context, in *productInput) (*productAnswer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return productAnswered(c.PutProduct(ctx, in.Body.product(in.SKU), fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-products", Method: http.MethodPost, Path: "/v1/products/batch", Tag: tag, Summary: "Make or change many products",
		Description: "Idempotent by sku: a row that says what is there changes nothing. Rows that are not right are named and left out; the others are taken.",
		Permission:  auth.CatalogueWrite, Status: http.StatusOK, MaxBody: maxBatch,
	}, func(ctx context.Context, in *productBatchInput) (*batchAnswer, error) {
		rows := make([]Product, len(in.Body.Items))
		for i, item := range in.Body.Items {
			rows[i] = item.product(item.SKU)
		}
		return batchAnswered(c.PutProducts(ctx, rows))
	})
}

func (c *Catalogue) listProductsHTTP(ctx context.Context, in *productList) (*productsAnswer, error) {
	f := filter{prefix: fold.Text(in.Query), category: in.Category, archived: in.Archived}
	if f.prefix == "" && in.Query != "" {
		return &productsAnswer{productPage{Items: []productView{}}}, nil // nothing but signs: no name begins so
	}
	parts, err := httpx.DecodeCursor(in.Cursor, 2)
	if err != nil {
		return nil, err
	}
	var after productSpot
	if parts != nil {
		after = productSpot{parts[0], parts[1]}
	}
	rows, err := c.products(ctx, f, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(rows, in.Limit, func(last Product) []string { return []string{last.folded(), last.SKU} })
	body := productPage{Items: make([]productView, len(page)), NextCursor: next}
	for i, p := range page {
		body.Items[i] = showProduct(p)
	}
	return &productsAnswer{body}, nil
}

type productCategoryView struct {
	Code      string    `json:"code" example:"pizza"`
	Name      string    `json:"name" example:"Pizza"`
	Parent    string    `json:"parent,omitempty" doc:"Code of the category above; absent for a root."`
	Path      []string  `json:"path" nullable:"false" doc:"Codes from the root to the category itself."`
	Archived  bool      `json:"archived"`
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt time.Time `json:"changed_at"`
}

func showCategory(c Category) productCategoryView {
	return productCategoryView{c.Code, c.Name, c.Parent, c.Path, c.Archived, c.Version, c.ChangedAt.UTC()}
}

type byCode struct {
	Code string `path:"code" maxLength:"64"`
}

type codeList struct {
	httpx.Page
	Archived bool `query:"archived" doc:"Those in the archive, too."`
}

type productCategoryInput struct {
	Code    string `path:"code" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the category as it was read; \"0\" makes it, * does not mind."`
	Body    productCategoryBody
}

type productCategoryBody struct {
	Name     string `json:"name" maxLength:"200" example:"Pizza"`
	Parent   string `json:"parent,omitempty" maxLength:"64" doc:"Code of the category above; left out: a root. What stands below moves along."`
	Archived bool   `json:"archived,omitempty" doc:"Nothing new may name it; products that are in it stay."`
}

type productCategoryAnswer struct {
	ETag string `header:"ETag"`
	Body productCategoryView
}

func categoryAnswered(c Category, err error) (*productCategoryAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &productCategoryAnswer{httpx.ETag(c.Version), showCategory(c)}, nil
}

type productCategoriesAnswer struct{ Body productCategoryPage }

type productCategoryPage struct {
	Items      []productCategoryView `json:"items" nullable:"false" doc:"By code."`
	NextCursor string                `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

func (c *Catalogue) categoryRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "list-product-categories", Method: http.MethodGet, Path: "/v1/product-categories", Tag: tag, Summary: "List categories of products",
		Permission: auth.CatalogueRead,
	}, func(ctx context.Context, in *codeList) (*productCategoriesAnswer, error) {
		items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]Category, error) {
			return c.categories(ctx, after, in.Archived, limit)
		}, func(c Category) string { return c.Code }, showCategory)
		return &productCategoriesAnswer{productCategoryPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-product-category", Method: http.MethodGet, Path: "/v1/product-categories/{code}", Tag: tag, Summary: "Read a category of products",
		Permission: auth.CatalogueRead, Errors: missing,
	}, func(ctx context.Context, in *byCode) (*productCategoryAnswer, error) {
		return categoryAnswered(c.Category(ctx, in.Code))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-product-category", Method: http.MethodPut, Path: "/v1/product-categories/{code}", Tag: tag, Summary: "Make, change or move a category of products",
		Permission: auth.CatalogueWrite, Errors: versioned,
	}, func(ctx context.Context, in *productCategoryInput) (*productCategoryAnswer, error) {
		to := Category{Code: in.Code, Name: in.Body.Name, Parent: in.Body.Parent, Archived: in.Body.Archived}
		return categoryAnswered(c.PutCategory(ctx, to, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}
