module github.com/guanxi-crm/guanxi/platform/operator

go 1.26.8
