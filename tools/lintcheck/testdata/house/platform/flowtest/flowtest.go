package flowtest

const Name = "flowtest"
