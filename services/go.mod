module github.com/guanxi-crm/guanxi/services

go 1.26.8

require (
	github.com/guanxi-crm/guanxi/platform v0.0.0
	github.com/guanxi-crm/guanxi/proto v0.0.0
)

replace (
	github.com/guanxi-crm/guanxi/platform => ../platform
	github.com/guanxi-crm/guanxi/proto => ../proto
)
