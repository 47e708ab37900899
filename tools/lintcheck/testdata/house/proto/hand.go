package proto

import "github.com/guanxi-crm/guanxi/platform/pg" // want "contracts import protobuf and nothing of ours"

const Name = pg.Name
