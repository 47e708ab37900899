package sales

const Name = "sales"
