package gen

import "github.com/guanxi-crm/guanxi/platform/pg"

const Name = pg.Name
