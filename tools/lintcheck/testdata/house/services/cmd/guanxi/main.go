package main

import (
	"github.com/guanxi-crm/guanxi/services/accounts"
	"github.com/guanxi-crm/guanxi/services/sales"
)

func main() { _ = accounts.Name + sales.Name }
