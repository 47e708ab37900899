// Command sales runs the sales service alone.
package main

import (
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/services/sales"
)

func main() { app.Main(sales.Module()) }
