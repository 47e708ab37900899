module github.com/guanxi-crm/guanxi/services

go 1.26.8

require (
	github.com/guanxi-crm/guanxi/platform v0.0.0
	github.com/guanxi-crm/guanxi/proto v0.0.0
)

require (
	github.com/google/uuid v1.6.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/pgx/v5 v5.12.0 // indirect
	github.com/nyaruka/phonenumbers v1.8.1 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	pgregory.net/rapid v1.3.0 // indirect
)

replace (
	github.com/guanxi-crm/guanxi/platform => ../platform
	github.com/guanxi-crm/guanxi/proto => ../proto
)
