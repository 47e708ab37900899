// Command rollout runs the rollout service alone.
package main

import (
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/services/rollout"
)

func main() { app.Main(rollout.Module()) }
