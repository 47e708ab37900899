package main

import (
	_ "go.temporal.io/server/temporal"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	_ "github.com/temporalio/ui-server/v2/server"
	_ "github.com/twmb/franz-go/pkg/kfake"
	_ "github.com/fergusstrange/embedded-postgres"
)

func main() {}
