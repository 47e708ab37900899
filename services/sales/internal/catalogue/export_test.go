package catalogue

// ProductsSQL is the statement that finds products by how their name begins.
func ProductsSQL(tenant, prefix string) (sql string, args []any) {
	return productsSQL(tenant, filter{prefix: prefix}, productSpot{}, 50)
}
