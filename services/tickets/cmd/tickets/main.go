// Command tickets runs the tickets service alone.
package main

import (
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/services/tickets"
)

func main() { app.Main(tickets.Module()) }
