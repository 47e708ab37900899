package pgtest

const Name = "pgtest"
