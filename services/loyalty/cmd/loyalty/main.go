// Command loyalty runs the loyalty service alone.
package main

import (
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/services/loyalty"
)

func main() { app.Main(loyalty.Module()) }
