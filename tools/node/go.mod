module github.com/guanxi-crm/guanxi/tools/node

go 1.26.8
