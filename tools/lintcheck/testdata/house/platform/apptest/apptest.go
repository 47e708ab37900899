package apptest

const Name = "apptest"
