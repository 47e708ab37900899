// Command console runs the console alone: the page that people work in, in front of the services' APIs.
package main

import (
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/services/console"
)

func main() { app.Main(console.Module()) }
