// Command analytics runs the analytics service alone.
package main

import (
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/services/analytics"
)

func main() { app.Main(analytics.Module()) }
