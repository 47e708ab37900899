package customer

import (
	"context"
	"net/http"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

const tag = "Customers"

// Routes adds the operations on customers.
func (c *Customers) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "register-customer", Method: http.MethodPost, Path: "/v1/customers", Tag: tag, Summary: "Register a customer",
		Description: "A card and an id in another system belong to one customer only: a second one is answered with 409, " +
			"naming the first. A telephone number or a mail address may be shared.",
		Permission: auth.CustomersWrite, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, c.register)
	httpx.Register(api, httpx.Operation{
		ID: "list-customers", Method: http.MethodGet, Path: "/v1/customers", Tag: tag, Summary: "List customers in the order of registration",
		Description: "Those who were merged into another or erased are not there.",
		Permission:  auth.CustomersRead,
	}, c.list)
	httpx.Register(api, httpx.Operation{
		ID: "lookup-customers", Method: http.MethodGet, Path: "/v1/customers/lookup", Tag: tag, Summary: "Find customers by an identity",
		Description: "Who may be calling: those for whom the identity is verified come first, then those who have it, then those who " +
			"had it, and archived customers last; of each, those to whom it came last come first.",
		Permission: auth.CustomersRead,
	}, c.lookup)
	httpx.Register(api, httpx.Operation{
		ID: "summarise-customers", Method: http.MethodGet, Path: "/v1/customers/summary", Tag: tag, Summary: "Count customers",
		Permission: auth.CustomersRead,
	}, c.summary)
	httpx.Register(api, httpx.Operation{
		ID: "get-customer", Method: http.MethodGet, Path: "/v1/customers/{customer_id}", Tag: tag, Summary: "Read a customer",
		Description: "What the purpose does not need, and what your role may not see, is left out, and withheld says so. The id of one " +
			"who was merged into the customer is answered with the customer.",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, c.get)
	httpx.Register(api, httpx.Operation{
		ID: "change-customer", Method: http.MethodPatch, Path: "/v1/customers/{customer_id}", Tag: tag,
		Summary:     "Change a customer's names, kind, tags, owner and custom fields",
		Description: "Fields that are left out stay as they are.",
		Permission:  auth.CustomersWrite,
		Errors:      []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, c.change)
	for _, op := range []struct {
		name, summary, description string
		archived                   bool
	}{
		{"archive", "Take a customer out of the way", "Nothing can be changed of one who is archived but this.", true},
		{"unarchive", "Take a customer out of the archive", "", false},
	} {
		httpx.Register(api, httpx.Operation{
			ID: op.name + "-customer", Method: http.MethodPost, Path: "/v1/customers/{customer_id}/" + op.name, Tag: tag,
			Summary: op.summary, Description: op.description, Permission: auth.CustomersWrite, Status: http.StatusOK, Errors: missing(),
		}, func(ctx context.Context, in *byCustomer) (*answer, error) {
			now, err := c.Archive(ctx, in.ID, op.archived)
			return answered(ctx, now, err)
		})
	}
	c.identityRoutes(api)
	c.addressRoutes(api)
	c.stageRoutes(api)
}

// missing are the statuses of a customer who is not there, or not in the state to be changed.
func missing() []int { return []int{http.StatusNotFound, http.StatusConflict, http.StatusGone} }

func (c *Customers) identityRoutes(api *httpx.API) {
	const path = "/v1/customers/{customer_id}/identities"
	httpx.Register(api, httpx.Operation{
		ID: "identify-customer", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Add an identity to a customer",
		Description: "One that the customer has already changes nothing, but that it is verified now. One that had ended begins anew.",
		Permission:  auth.CustomersWrite, Errors: missing(),
	}, func(ctx context.Context, in *identifyInput) (*answer, error) {
		now, err := c.Identify(ctx, in.ID, in.Body.given())
		return answered(ctx, now, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "verify-identity", Method: http.MethodPost, Path: path + "/verify", Tag: tag,
		Summary:    "Take note that an identity was shown to be the customer's",
		Permission: auth.CustomersWrite, Status: http.StatusOK, Errors: missing(),
	}, func(ctx context.Context, in *identityInput) (*answer, error) {
		now, err := c.VerifyIdentity(ctx, in.ID, Given{Type: in.Body.Type, Value: in.Body.Value}, in.Body.At)
		return answered(ctx, now, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "end-identity", Method: http.MethodPost, Path: path + "/end", Tag: tag,
		Summary:     "Take note that an identity is the customer's no longer",
		Description: "It is kept, so that it is known whose it was, and another customer can have it: operators give numbers to new people.",
		Permission:  auth.CustomersWrite, Status: http.StatusOK, Errors: missing(),
	}, func(ctx context.Context, in *identityInput) (*answer, error) {
		now, err := c.EndIdentity(ctx, in.ID, Given{Type: in.Body.Type, Value: in.Body.Value}, in.Body.At)
		return answered(ctx, now, err)
	})
}

func (c *Customers) addressRoutes(api *httpx.API) {
	const path = "/v1/customers/{customer_id}/addresses"
	httpx.Register(api, httpx.Operation{
		ID: "add-address", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Add an address to a customer",
		Description: "The answer is the customer; the new address is the last.",
		Permission:  auth.CustomersWrite, Status: http.StatusCreated, Errors: missing(),
	}, func(ctx context.Context, in *addAddressInput) (*answer, error) {
		now, err := c.AddAddress(ctx, in.ID, in.Body.place())
		return answered(ctx, now, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-address", Method: http.MethodPatch, Path: path + "/{address_id}", Tag: tag, Summary: "Change an address of a customer",
		Description: "Fields that are left out stay as they are.",
		Permission:  auth.CustomersWrite,
		Errors:      append(missing(), http.StatusPreconditionFailed, http.StatusPreconditionRequired),
	}, c.changeAddress)
	httpx.Register(api, httpx.Operation{
		ID: "remove-address", Method: http.MethodDelete, Path: path + "/{address_id}", Tag: tag, Summary: "Take an address away from a customer",
		Permission: auth.CustomersWrite, Status: http.StatusOK, Errors: missing(),
	}, func(ctx context.Context, in *removeAddressInput) (*answer, error) {
		now, err := c.RemoveAddress(ctx, in.ID, in.AddressID)
		return answered(ctx, now, err)
	})
}

func (c *Customers) stageRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "set-customer-stage", Method: http.MethodPost, Path: "/v1/customers/{customer_id}/stage", Tag: tag,
		Summary: "Say how far the relationship with a customer has come",
		Description: "By itself it changes with orders only, and never back: exploration with the first, familiarity with the second. " +
			"While manual_until lasts it does not.",
		Permission: auth.CustomersWrite, Status: http.StatusOK, Errors: missing(),
	}, c.setStage)
	httpx.Register(api, httpx.Operation{
		ID: "list-customer-stages", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/stages", Tag: tag,
		Summary:    "How the relationship with a customer came where it is",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, c.stages)
}
