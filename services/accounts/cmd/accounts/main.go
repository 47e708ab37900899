// Command accounts runs the accounts service alone.
package main

import (
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/services/accounts"
)

func main() { app.Main(accounts.Module()) }
