package devstackless

const Name = "devstackless"
