package pg

const Name = "pg"
